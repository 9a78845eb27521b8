//! What `recommend` prints, in both languages.

use planner_core::text::Bilingual;

/// A shorter name for the table below.
const fn text(english: &'static str, chinese: &'static str) -> Bilingual {
    Bilingual::new(english, chinese)
}

pub const TITLE: Bilingual = text("{0} of {1} tokens, {2}; {3}", "{0}，各 {1} 个 token，{2}；{3}");
pub const BY_GPUS: Bilingual = text("fewest GPUs first", "GPU 最少者在前");
pub const BY_COST: Bilingual = text("cheapest first", "最便宜者在前");
pub const BY_HEADROOM: Bilingual = text("most users first", "用户最多者在前");
pub const PLACED: Bilingual = text("placed", "放置");
pub const COUNT: Bilingual = text("n", "数量");
pub const USERS: Bilingual = text("most users", "最多用户");
pub const LONGEST: Bilingual = text("longest session", "最长会话");
pub const LIMITED_BY: Bilingual = text("limited by", "受限于");
pub const PER_HOUR: Bilingual = text("{0} an hour", "每小时 {0}");
pub const PER_USER: Bilingual = text("a user", "每用户");
pub const PLAN: Bilingual = text("plan", "方案");
pub const COMMAND: Bilingual = text("command", "命令");
pub const STARTS: Bilingual = text("Start", "启动");
pub const MORE: Bilingual = text("{0} more: --top {1}", "另有 {0} 项：--top {1}");
pub const NOTHING: Bilingual =
    text("no placement on at most {0} GPUs fits", "至多 {0} 个 GPU 的放置均放不下");
pub const LEFT_WEIGHTS: Bilingual =
    text("the weights leave no room on at most {0}: {1}", "至多 {0} 个，权重之外没有余量：{1}");
pub const LEFT_CACHE: Bilingual =
    text("the cache does not fit on at most {0}: {1}", "至多 {0} 个，缓存放不下：{1}");
pub const LEFT_REFUSED: Bilingual = text("refused ({0}): {1}", "被拒绝（{0}）：{1}");
pub const ENGINE_DEFAULT: Bilingual = text(
    "--engine not given: {0}, because the definition is started by no command",
    "未给出 --engine：取 {0}，因为没有命令可启动“定义”",
);
pub const PRICES: Bilingual =
    text("prices by {0}, {1}; per user: of the most users", "价格取自 {0}，{1}；每用户按最多用户计");
pub const UNDATED: Bilingual = text("no date", "无日期");
pub const LEFT_OUT: Bilingual = text("Left out", "未列入");
