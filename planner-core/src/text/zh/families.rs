//! Why a family is refused, and why an encoder keeps no cache: the texts of the data files of
//! `models/`, which the tests below read.

pub(super) const TABLE: super::Table = &[
    // encoders.yaml
    (
        "it is an encoder: every token attends in both directions in one pass, nothing is generated",
        "它是编码器：每个 token 在一次前向中双向注意，不生成任何内容",
    ),
    (
        "a sentence encoder returns one vector for the whole text, nothing is generated",
        "句子编码器为整段文本返回一个向量，不生成任何内容",
    ),
    (
        "a text-embedding encoder returns vectors for the whole text, nothing is generated",
        "文本嵌入编码器为整段文本返回若干向量，不生成任何内容",
    ),
    (
        "a text-embedding encoder returns one vector for the whole text, nothing is generated",
        "文本嵌入编码器为整段文本返回一个向量，不生成任何内容",
    ),
    (
        "CLIP encodes an image and a text into vectors, nothing is generated",
        "CLIP 把图像与文本编码为向量，不生成任何内容",
    ),
    (
        "a vision transformer encodes an image in one pass, nothing is generated",
        "视觉 Transformer 在一次前向中编码图像，不生成任何内容",
    ),
    // families that keep nothing
    (
        "it is an encoder that reads its whole input in one pass and generates nothing, so no key or value is kept",
        "它是编码器，在一次前向中读完全部输入，不生成任何内容，因此不保留键值",
    ),
    (
        "BERT-generation without is_decoder is an encoder: it reads its whole input in one pass, so no key or value is kept; its decoder serves inside an encoder-decoder",
        "没有 `is_decoder` 的 BERT-generation 是编码器：在一次前向中读完全部输入，因此不保留键值；它的解码器用于编码器-解码器之中",
    ),
    (
        "it is the vision encoder of a multimodal model: it generates nothing",
        "它是多模态模型的视觉编码器：不生成任何内容",
    ),
    (
        "it is the audio encoder of a multimodal model: it generates nothing",
        "它是多模态模型的音频编码器：不生成任何内容",
    ),
    (
        "it is the query transformer of a multimodal model: it generates nothing",
        "它是多模态模型的查询 Transformer：不生成任何内容",
    ),
    (
        "it is the image tokenizer of a multimodal model: it keeps no key or value",
        "它是多模态模型的图像分词器：不保留键值",
    ),
    ("it is a text encoder: it generates nothing", "它是文本编码器：不生成任何内容"),
    ("it is a speech encoder: it generates nothing", "它是语音编码器：不生成任何内容"),
    (
        "it is a speech encoder: what is kept of it belongs to the model around it",
        "它是语音编码器：由它保留的内容属于外层模型",
    ),
    ("it is an audio codec: it keeps no key or value", "它是音频编解码器：不保留键值"),
    ("it is an audio tokenizer: it keeps no key or value", "它是音频分词器：不保留键值"),
    (
        "its class recomputes the whole sequence at every step and keeps no key or value",
        "它的类每一步都重算整个序列，不保留键值",
    ),
    (
        "Reformer hashes its keys anew at every step; what ReformerModelWithLMHead hands on are hidden states and bucket numbers, not keys and values, and no serving engine runs it",
        "Reformer 每一步都重新散列它的键；`ReformerModelWithLMHead` 传下去的是隐藏状态与桶号，不是键值，也没有服务引擎运行它",
    ),
    (
        "XLNet keeps hidden states of earlier tokens (`mems`, `mem_len` of them in each layer) and computes their keys and values anew at every step, so no key or value is kept; one hidden state is `d_model` elements for each token and layer",
        "XLNet 保留先前 token 的隐藏状态（`mems`，每层 `mem_len` 个），每一步重算它们的键值，因此不保留键值；每个 token 每层的隐藏状态为 `d_model` 个元素",
    ),
    // families that are refused, whole or in part
    (
        "it caches bytes in its local layers and patches in its global ones, and where a patch ends depends on the text itself (entropy patching), so the cache of a length cannot be known beforehand",
        "它的局部层缓存字节、全局层缓存片段（patch），而片段在何处结束取决于文本本身（按熵切分），因此无法预先知道某一长度的缓存",
    ),
    (
        "what it keeps is not one cache over one sequence of tokens (it generates over documents that it retrieves, or writes a canvas of tokens at once), so no figure for one length describes it",
        "它保留的不是一个 token 序列上的一份缓存（它在检索到的文档上生成，或一次写出一整块 token），因此没有哪个长度的数字能描述它",
    ),
    (
        "it hears as it writes: its audio encoder keeps windows of keys and values of its own beside those of the language model, which is not described here",
        "它边听边写：音频编码器在语言模型之外另有自己的键值窗口，此处尚未描述",
    ),
    (
        "it keeps more than one cache (a model of frames, a smaller one of the codes within a frame, an audio codec), which is not described here; its language model alone is the least that it keeps",
        "它保留不止一份缓存（逐帧的模型、帧内编码的小模型、音频编解码器），此处尚未描述；仅其语言模型就是它至少要保留的部分",
    ),
    (
        "it makes actions, not text: its prefix that the PaliGemma reads is cached once, and the action expert keys and values live for one denoising step. The PaliGemma alone can be planned: give `vlm_config` as the config.json",
        "它生成动作而不是文本：PaliGemma 读入的前缀只缓存一次，动作专家的键值只存在于一个去噪步。可以单独规划 PaliGemma：把 `vlm_config` 当作 config.json 给出",
    ),
    (
        "only its language model, MoshiForCausalLM, is described here: the whole also keeps a depth decoder and an audio codec",
        "此处只描述了它的语言模型 MoshiForCausalLM：整体还保留一个深度解码器与一个音频编解码器",
    ),
    (
        "the image tokenizer that this class also holds is not counted here; with Emu3ForCausalLM under architectures its language model is planned, which keeps the same cache",
        "该类还含有图像分词器，此处未计；在 `architectures` 中写 Emu3ForCausalLM 即规划其语言模型，缓存相同",
    ),
    (
        "only its text-to-text class is described here; the others hold a conformer or a vocoder",
        "此处只描述了它的文本到文本的类；其他的类含有 conformer 或声码器",
    ),
    (
        "this class of BLIP compares images and texts and generates nothing",
        "BLIP 的这个类只比较图像与文本，不生成任何内容",
    ),
    ("this class of SpeechT5 is not described here", "此处未描述 SpeechT5 的这个类"),
    ("its vision tower is not described here", "此处未描述它的视觉塔"),
    ("its sound encoder is not described here", "此处未描述它的声音编码器"),
    ("the scales of this vision tower are not described here", "此处未描述这种视觉塔的各级尺度"),
    ("only the tower fastvit_mci3 is described here", "此处只描述了 `fastvit_mci3` 这种塔"),
    ("only a BERT encoder is described here", "此处只描述了 BERT 编码器"),
    ("only a wav2vec 2.0 encoder is described here", "此处只描述了 wav2vec 2.0 编码器"),
    ("only ViT and DeiT encoders are described here", "此处只描述了 ViT 与 DeiT 编码器"),
    (
        "only a T5 text encoder and an EnCodec codec are described here",
        "此处只描述了 T5 文本编码器与 EnCodec 编解码器",
    ),
    (
        "KOSMOS-2 with cross-attention in its decoder is not described here",
        "此处未描述解码器带交叉注意力的 KOSMOS-2",
    ),
    (
        "only the projectors linear and downsample_mlp_gelu are described here",
        "此处只描述了 `linear` 与 `downsample_mlp_gelu` 两种投影器",
    ),
    ("this downsample_rate is not described here", "此处未描述这个 `downsample_rate`"),
    (
        "this file is of the first LLaVA code, whose vision tower stands in another repository (mm_vision_tower) and is not counted here; with `llama` as model_type its language model, and so its cache, is planned exactly",
        "这是最早的 LLaVA 代码的文件，其视觉塔在另一个仓库（`mm_vision_tower`）中，此处未计；把 `model_type` 写为 `llama`，即可精确规划其语言模型，也就是它的缓存",
    ),
    ("this version of MiniCPM-V is not described here", "此处未描述 MiniCPM-V 的这个版本"),
    ("Molmo with experts is not described here", "此处未描述带专家的 Molmo"),
    ("the audio encoder of Qwen-Audio is not described here", "此处未描述 Qwen-Audio 的音频编码器"),
    (
        "its language model and its audio encoder stand in other repositories, which text_model_id and audio_model_id name: give the config.json of the language model for its cache, which is all that the whole keeps",
        "它的语言模型与音频编码器在 `text_model_id` 与 `audio_model_id` 所指的其他仓库中：请给出语言模型的 config.json，即得到它的缓存，也就是整体保留的全部",
    ),
    ("MiniCPM with experts is not described here", "此处未描述带专家的 MiniCPM"),
    (
        "a subsampling factor other than 2, 4 and 8 is not described here",
        "此处只描述了 2、4、8 三种下采样倍数",
    ),
];
