//! The frame of the page, and words that several parts of it use.

use super::Line;

pub(super) static LINES: &[Line] = &[
    ("page.title", "kvplan: KV-cache memory, to the byte", "kvplan：KV 缓存显存，精确到字节"),
    ("page.skip", "Skip to the answer", "跳到结果"),
    ("page.language", "中文", "English"),
    ("page.theme", "Theme", "主题"),
    ("page.theme_auto", "as the system", "随系统"),
    ("page.theme_light", "light", "浅色"),
    ("page.theme_dark", "dark", "深色"),
    ("page.parts", "Parts of this page", "本页各部分"),
    ("page.loading", "Loading the planner …", "正在载入计算核心……"),
    (
        "page.footer",
        "Everything is computed in this page; nothing you enter leaves it.",
        "一切都在本页内计算，你输入的内容不会离开本页。",
    ),
    ("nav.answer", "Answer", "结果"),
    ("nav.why", "Why", "原理"),
    ("nav.layers", "Layers", "各层"),
    ("nav.compare", "Compare", "比较"),
    ("nav.assumptions", "Assumptions", "假设"),
    ("word.token", "one more token", "再多一个 token"),
    ("word.session", "one session", "一个会话"),
    ("word.weights", "weights", "权重"),
    (
        "page.part_failed",
        "A part of the planner could not be fetched ({why}). Try again.",
        "计算核心的一部分无法取得（{why}）。请重试。",
    ),
];
