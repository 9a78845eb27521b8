//! 简体中文。

use super::{Message, Refuser, is_half, quoted, unnamed};
use crate::error::{Error, Known, Refusal};
use crate::text::{Lang, Sentence, fill};

pub(super) fn message(message: Message) -> &'static str {
    use Message as M;
    match message {
        M::Headline => "{0}   {1} 层，{2} 个 KV 头 × {3}，KV 类型 {4}",
        M::HeadlineLatent => "{0}   {1} 层，所有头共用宽 {2} 的潜向量，KV 类型 {3}",
        M::HeadlineNoAttention => "{0}   {1} 层，无注意力，{2}",
        M::OneToken => "一个 token",
        M::OneSession => "一个会话，{0} 个 token",
        M::State => "其中首个 token 之前",
        M::Sessions => "{0} 个会话",
        M::OneSessionOnly => "一个会话",
        M::Users => "{0} 个用户",
        M::AllHeads => "若缓存全部 {0} 个头，每个 token 需 {1} 字节（{2}），{4}共 {3}。",
        M::AllHeadsShared => "该模型每 {0} 个查询头共用一个 KV 头。",
        M::AllHeadsSame => "每个头都缓存：这正是文章的数字，每 token {0} 字节。",
        M::SlopesChange => "自第 {0} 个 token 起，每个新 token 增加 {1} 字节。",
        M::EngineLineOne => "{0} 为一个会话分配 {1}。",
        M::EngineLine => "{0} 为一个会话分配 {1}，{3}共 {2}。",
        M::Fits => "放得下：{0}，每个 {1} 个 token",
        M::DoesNotFit => "放不下：{0}、每个 {1} 个 token，每块 GPU 需要 {2}，但只剩 {3}",
        M::TooManySessions => "放不下：{0} 最多同时运行 {1}，其余等待",
        M::WeightsDoNotFit => "放不下：每块 GPU 上 {0} 权重加 {1} 激活与运行时开销超过其预算 {2}",
        M::BudgetOf => "{0} = {1} × {2}",
        M::RoomFor => "可容纳 {0}（每个 {1} 个 token）",
        M::Steady => {
            "全部进入解码后，可同时运行 {0}：{1} 启动时只承诺 {2}，因为它为每个会话预留一个窗口和一整步的在途 token"
        }
        M::NullBlock => "可用空间中有 {0} 是 vLLM 的空块，不分配给任何会话",
        M::LengthsAre => "长度分布：一半会话不超过 {0} 个 token，95 % 不超过 {1}，99 % 不超过 {2}，最长 {3}",
        M::LengthsMean => "  平均每个会话占用 {0}",
        M::LengthsUsers => "  {0}：{1} % 的时间里全部占用都在可用空间之内",
        M::LengthsLongest => "  若每个会话都取最长：{0}",
        M::LengthsRounded => "  每个会话的字节数向上取整，至多为平均值的 {0} %",
        M::LongestFor => "{0}每个最多 {1} 个 token",
        M::LimitIsModel => "模型自身上限",
        M::PartWeights => "权重",
        M::PartActivation => "激活",
        M::PartOutsideTorch => "PyTorch 之外",
        M::PartGraphs => "CUDA 图",
        M::PartComputeBuffer => "计算缓冲区",
        M::PartDriver => "驱动",
        M::PartMultimodal => "编码器缓存",
        M::PartMargin => "余量",
        M::PartReserve => "预留",
        M::PartRoom => "KV 空间",
        M::RoomEstimate => "估计值：KV 空间可能为 {0} 至 {1}",
        M::KvMemory => "给定的 KV 内存：{0}",
        M::PerGpu => "每块 GPU，{0} × {1}",
        M::AnyOfTheseFits => "以下任一改动都放得下",
        M::NothingFits => "没有单一改动能放下：换更大的 GPU、用 --pp，或量化权重",
        M::Fewest => "容纳权重（{0}，{1}）与此缓存所需的最少 GPU [1]",
        M::ColumnGpu => "GPU",
        M::ColumnCount => "数量",
        M::ColumnRoom => "每块 KV 空间",
        M::ColumnUsers => "{0} token 的用户数",
        M::ColumnTokens => "{0} 用户时每个 token 数",
        M::FootnoteBudget => {
            "[1] 驱动报告内存的 {0}，减去权重，再减去每块 GPU {1} 供激活与运行时使用（--reserve）。引擎会向上取整：--engine。"
        }
        M::FootnoteParts => {
            "[1] 引擎在每块 GPU 上所余的内存：已按其自身规则减去权重、激活、计算图与运行时占用（--reserve 可取代除权重外的各项）。"
        }
        M::LimitMark => "（上限）",
        M::NoLimit => "不限",
        M::NotesTitle => "说明",
        M::ColumnModel => "模型",
        M::ColumnName => "名称",
        M::ColumnFamily => "家族",
        M::ColumnLayers => "层数",
        M::ColumnKinds => "层类型",
        M::ColumnPerToken => "字节/token",
        M::ColumnMaximum => "最长 token",
        M::ColumnParameters => "参数量",
        M::ColumnMemory => "内存",
        M::ColumnBandwidth => "GB/s",
        M::ColumnFp16 => "fp16 TFLOPS",
        M::ColumnFp8 => "fp8 TFLOPS",
        M::ColumnVendor => "厂商",
        M::ColumnQuantity => "项目",
        M::ColumnBytes => "字节",
        M::ColumnEngine => "引擎",
        M::ColumnOneSession => "一个会话",
        M::ColumnAllSessions => "全部会话",
        M::ColumnMaxUsers => "最多用户",
        M::ColumnWhy => "原因",
        M::ExplainEngine => "引擎的分配",
        M::ExplainFloor => "首个 token 之前：每会话 {0} 字节",
        M::ExplainGroup => "每组 {0} 个 {1} 层：一页 {2} 字节、{3} 个 token；一个请求占 {4} 块",
        M::ExplainCells => "{0} 个 {1} 层：{2} 个单元 × {3} 路，K {4} 字节，V {5} 字节",
        M::ExplainBlocks => {
            "⌊{0} 字节 / 每块 {1} 字节⌋ = {2} 块；/ 每请求 {3} 块 = 同时 {4} 个；× {5} 个 token = 缓存 {6} 个 token"
        }
        M::ExplainRows => "{0} 字节容纳 {1} 个 token：同时 {2} 个会话",
        M::UnitLayers => "{0} 层",
        M::UnitTokens => "{0} 个 token",
        M::UnitRows => "{0} 行",
        M::UnitBlocks => "{0} 块",
        M::UnitSlots => "{0} 个槽位",
        M::UnitGpus => "{0} 张 GPU",
        M::ExplainCommand => "以这些设置启动引擎的命令",
        M::EngineBlocks => {
            "{0} 块，每块 {1} 个 token：KV 缓存 {2} 个 token，{4} 个 token 时最大并发 {3} 倍。"
        }
        M::Source => "来源",
        M::HubIds => "Hub 名称",
        M::Derivation => "推导",
        M::ModelsCount => "{0} 个模型；也可用任意 config.json：--model 路径",
        M::GpusCount => "{0} 种 GPU；也可用任意大小：--gpu 80GiB",
        M::ExplainPerToken => "每 token 字节 = 各层一个 token 所增加之和",
        M::ExplainLayers => "{0} 个 {1} 层（{2}）：{3} = {4}",
        M::ExplainState => "状态，每会话一份",
        M::ExplainCross => "交叉注意力，{0} 个编码器 token",
        M::ExplainSession => "一个 {0} token 的会话",
        M::ExplainAllHeads => "缓存全部头时",
        M::ExplainWhere => "数字的来源",
        M::ExplainArticle => "为何保留 K 和 V 而不保留 Q",
        M::ExplainArticleText => {
            "解码要读取所有历史 K、V 行，但只用最新的一行 Q。保留 K、V 使每个 token 的工作量从 O(n²) 降为 O(n)；代价是内存：2 × 层数 × 头数 × 头维度 × token 数 × 字节。"
        }
        M::ExplainMeasured => {
            "文章测得 GPT-2 生成 1,000 个 token（10 次）：有缓存 {0} 秒，无缓存 {1} 秒（{2}）。"
        }
        M::ExplainStage => "流水线阶段 {0}",
        M::ExplainRange => "估计值：{0} 至 {1}",
        M::ExplainBudget => "一块 GPU 的内存",
        M::ExplainParameters => "各部分参数量",
        M::Error => "错误",
        M::Unwritten => "错误：无法写入标准输出：{0}",
        M::Hint => "提示",
    }
}

pub(super) fn error_message(error: &Error) -> String {
    let zh = |sentence: &Sentence| sentence.text(Lang::Zh);
    let (template, arguments) = match error {
        Error::Unknown { what, name, .. } => ("未知的{0} `{1}`", vec![kind(*what).to_owned(), name.clone()]),
        Error::NoCache { architecture, why } => {
            ("`{0}` 没有 KV 缓存：{1}", vec![architecture.clone(), zh(why)])
        }
        Error::MissingField { field, looked_in } => {
            ("缺少 `{0}`：已在{1}中查找", vec![field.clone(), zh(looked_in)])
        }
        Error::Refused(refusal) => refused(refusal),
        Error::BadValue { field, got, want, .. } => {
            ("{0}的值是 {1}，应为：{2}", vec![quoted(field, Lang::Zh), zh(got), zh(want)])
        }
        Error::Overflow { what, .. } => ("{0}过大：超出 64 位整数", vec![quoted(what, Lang::Zh)]),
        Error::Parse { format, why } => ("{0}：{1}", vec![zh(format), zh(why)]),
        Error::Unreadable { path, why } => ("无法读取 `{0}`：{1}", vec![path.clone(), zh(why)]),
    };
    fill(template, arguments.iter().map(String::as_str))
}

fn refused(refusal: &Refusal) -> (&'static str, Vec<String>) {
    let reason = refusal.reason.text(Lang::Zh);
    match (Refuser::of(refusal), &refusal.subject) {
        (Refuser::NoRule(engine), _) => ("kvplan 没有 {0} 中{1}的规则", vec![engine, reason]),
        (Refuser::Engine(engine), _) => {
            let subject = unnamed(refusal).map_or_else(String::new, |subject| quoted(subject, Lang::Zh));
            match refusal.reason.name() {
                Some(_) => ("{0} 拒绝{1}：“{2}”", vec![engine, subject, reason]),
                None => ("{0} 拒绝{1}：{2}", vec![engine, subject, reason]),
            }
        }
        (Refuser::Kvplan, Some(subject)) => ("不支持{0}：{1}", vec![quoted(subject, Lang::Zh), reason]),
        (Refuser::Kvplan, None) => ("{0}", vec![reason]),
    }
}

pub(super) fn error_hint(error: &Error) -> Option<String> {
    match error {
        Error::Unknown { near, .. } if !near.is_empty() => {
            let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("您是否想用 {}？", near.join(" 或 ")))
        }
        Error::NoCache { architecture, .. } if is_half(architecture) => {
            Some("请给出整个编码器-解码器的 config.json，交叉注意力会被计入".into())
        }
        Error::MissingField { field, .. } => Some(format!("请在配置中补上 `{field}`；本程序从不猜测")),
        Error::Refused(refusal) => refusal.way_out.as_ref().map(|way_out| way_out.text(Lang::Zh)),
        _ => None,
    }
}

fn kind(what: Known) -> &'static str {
    match what {
        Known::Model => "模型",
        Known::Gpu => "GPU",
        Known::Engine => "引擎",
        Known::Flag => "选项",
    }
}
