//! What lists and their charts print, in both languages.

use planner_core::text::Bilingual;

/// A shorter name for the table below.
const fn text(english: &'static str, chinese: &'static str) -> Bilingual {
    Bilingual::new(english, chinese)
}

pub const ONE_NUMBER: Bilingual = text(
    "{0} {1} is read as one number; with a space after each comma it is a list",
    "{0} {1} 读作一个数；逗号后加空格则为列表",
);
pub const MOST_USERS: Bilingual = text("most users", "最多用户");
pub const ALL_BYTES: Bilingual = text("bytes of all sessions", "全部会话的字节");
pub const BY_ONE: Bilingual = text("{0}, by {1}", "{0}，按 {1}");
pub const BY_TWO: Bilingual = text("{0}, by {1} and {2}", "{0}，按 {1} 与 {2}");
pub const FEWER: Bilingual =
    text("{0} < {1}: room for {0}, {1} asked for", "{0} < {1}：可容 {0} 个用户，所问为 {1} 个");
pub const WEIGHTS: Bilingual = text("weights", "权重");
pub const WEIGHTS_ALONE: Bilingual =
    text("weights: what stands beside the cache is more than the budget", "权重：缓存之外所占已超过预算");
pub const OF_COMBINATIONS: Bilingual = text("{0} of {1}, such as: {2}", "{1} 项中的 {0} 项，例如：{2}");
pub const ALL_REFUSED: Bilingual = text("all {0} combinations are refused", "全部 {0} 种组合均被拒绝");
pub const LONGEST: Bilingual = text("longest session", "最长会话");
pub const ROOM: Bilingual = text("room per GPU", "每 GPU 余量");
pub const CHART: Bilingual =
    text("{0}, up, by {1}, to the right, from {2} to {3}", "纵轴：{0}；横轴：{1}，从 {2} 到 {3}");
pub const CHART_OF: Bilingual = text("the first {0} of {1} lines", "{1} 条线中的前 {0} 条");
pub const WROTE: Bilingual = text("wrote {0}", "已写入 {0}");
