//! Each engine's rule in one line.

pub(super) const TABLE: super::Table = &[
    ("what the definition needs, without any engine's rounding", "仅为定义所需，不含任何引擎的取整"),
    (
        "whole blocks; groups of layers share pages, windows keep tokens in flight, states are padded to a page",
        "按整块分配；各层组共用页，窗口层保留在途 token，状态填充到一页",
    ),
    (
        "rows of a token pool; some classes keep window layers in a pool of their own, states take slots",
        "token 池按行分配；部分模型类的窗口层另有其池，状态占用槽位",
    ),
    (
        "whole blocks of 32 tokens out of the memory left after the weights",
        "加载权重后的剩余内存按 32 个 token 的整块分配",
    ),
    (
        "all cells of the context are allocated at start, in multiples of 256; states in f32",
        "启动时即分配整个上下文，按 256 取整；状态为 f32",
    ),
    (
        "tensors as they are; a full window keeps one token less; latents or expanded keys as the class stores them",
        "按张量实际大小；窗口满后少存一个 token；潜变量或展开的键按其类所存",
    ),
    (
        "what candle's own module stores: some widen the cache or ignore the window",
        "按 candle 自身模块所存：有的会展宽缓存或忽略窗口",
    ),
];
