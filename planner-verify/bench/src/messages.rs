//! Reasons and errors of `bench-cache`, in both languages.

use planner_core::text::Bilingual;

pub const WEIGHT_DTYPES: Bilingual =
    Bilingual::new("`f32` or `bf16` for bench-cache", "bench-cache 时为 `f32` 或 `bf16`");
pub const BENCH_OF: Bilingual = Bilingual::new("bench-cache of {0}", "对 {0} 运行 bench-cache");
pub const SHARED_CACHE: Bilingual = Bilingual::new(
    "layers that share a cache are measured by --verify; bench-cache takes plain stacks",
    "共用缓存的层由 --verify 测量；bench-cache 只运行普通的层",
);
pub const BENCH_IN_BF16: Bilingual =
    Bilingual::new("bench-cache of {0} with weights in bf16", "以 bf16 权重对 {0} 运行 bench-cache");
pub const PLAIN_STACKS_ONLY: Bilingual = Bilingual::new(
    "only stacks of plain attention layers, all alike, are run so: leave --weight-dtype out",
    "只有全部相同的普通注意力层才能这样运行：请去掉 --weight-dtype",
);
pub const BENCH_WITH_WEIGHTS: Bilingual =
    Bilingual::new("bench-cache with the weights of {0}", "以 {0} 的权重运行 bench-cache");
pub const GPT2_CHECKPOINTS_ONLY: Bilingual = Bilingual::new(
    "it reads checkpoints of GPT-2; others run with made-up weights when --model names their config.json",
    "它只读 GPT-2 的检查点；其他模型在 --model 指向其 config.json 时以种子生成的权重运行",
);
pub const CHECKPOINT_POSITIONS: Bilingual = Bilingual::new(
    "at most {0}: the checkpoint has no positions beyond",
    "不超过 {0}（检查点没有更后的位置）",
);
