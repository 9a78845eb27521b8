#!/usr/bin/env python3
"""Write header-only GGUF files for config.json files, with llama.cpp's own converter.

usage: headers.py LLAMA_CPP OUT_DIR CONFIG.json...

Every file gets the metadata that the converter class of its `architectures` writes in
set_gguf_parameters(); vocabulary and weights are left out. `OUT_DIR/index.json` says for each
config the GGUF architecture, or why the converter does not take it.
"""
import json, logging, sys, tempfile
from pathlib import Path

llama_cpp, out_dir, configs = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
import gguf  # noqa: E402
from conversion import ModelBase, ModelType, get_model_architecture, get_model_class  # noqa: E402

logging.disable(logging.CRITICAL)
out_dir.mkdir(parents=True, exist_ok=True)
index_file = out_dir / "index.json"
index = json.loads(index_file.read_text()) if index_file.exists() else {}


# Keys that a converter class insists on and that reach no cache: stated where a config leaves them out.
NEUTRAL = {"rotary_pct": 1.0, "partial_rotary_factor": 1.0, "routed_scaling_factor": 1.0, "decoder_start_token_id": 0,
           "rope_theta": 10000.0, "n_ctx": None, "rotary_dim": 64, "moe_intermediate_size": 256, "topk_method": "noaux_tc",
           "expert_intermediate_size": 256, "norm_topk_prob": True, "scoring_func": "sigmoid", "hidden_act": "silu", "swiglu_limit": 10.0,
           "n_shared_experts": 1, "moe_renormalize": True}


class NoTensors(dict):
    """Stands in for the checkpoint's tensors: none are there, none are read."""


def hash_constants(self, suffix: str) -> list[int]:
    """Qwen4-exp's constants of its n-gram table: as many as there are, whatever they are."""
    sizes = self.hparams
    return [1] * (sizes["ngram_size"] if "multipliers" in suffix else (sizes["ngram_size"] - 1) * sizes["heads_per_ngram"])


def without_weights(cls):
    """What a class would read from the checkpoint or its tokenizer."""
    cls.index_tensors = lambda self, remote_hf_model_id=None: NoTensors()
    if hasattr(cls, "_get_suppress_tokens"):
        cls._get_suppress_tokens = lambda self: None
    if hasattr(cls, "_read_hash_constants"):
        cls._read_hash_constants = hash_constants


def header(config: Path, target: Path) -> str:
    """Converts, stating neutral keys as the class asks for them."""
    more, no_mtp = {}, False
    while True:
        try:
            return convert(config, target, more, no_mtp)
        except AssertionError:
            # some classes count prediction layers in the weights; without any they are told to leave them out
            if no_mtp:
                raise
            no_mtp = True
        except KeyError as error:
            asked = [key for key in NEUTRAL if f"'{key}'" in str(error) and key not in more]
            if not asked:
                raise
            more[asked[0]] = NEUTRAL[asked[0]]


def convert(config: Path, target: Path, more: dict, no_mtp: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        # the converter reads config.json with transformers where it can; the file's own keys win
        (Path(folder) / "config.json").write_text(config.read_text())
        hparams = ModelBase.load_hparams(Path(folder), False)
        if "n_ctx" in more:
            more["n_ctx"] = hparams["n_positions"]
        hparams.update({key: value for key, value in more.items() if key not in hparams})
        if hparams.get("model_type") == "falcon" and hparams.get("multi_query") and not hparams.get("new_decoder_architecture"):
            hparams["num_kv_heads"] = 1  # what the weights hold; the class writes out the number of query heads
        cls = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
        if no_mtp:
            cls.no_mtp = True
        without_weights(ModelBase)
        without_weights(cls)
        model = cls(Path(folder), gguf.LlamaFileType.MOSTLY_BF16, target, hparams=hparams)
        model = getattr(model, "impl", model)  # Mistral 3 hands over to a class by model_type
        if "partial_rotary_factor" in more or "rope_theta" in more:
            model.rope_parameters.update(more)
        writer = model.gguf_writer
        # set_vocab comes first in the converter; the lists it would write do not reach the cache
        vocab = model.hparams.get("vocab_size") or 32000
        writer.add_tokenizer_model("no_vocab")
        model.set_gguf_parameters()
        data = writer.kv_data[0]
        arch = gguf.MODEL_ARCH_NAMES[model.model_arch]
        if f"{arch}.vocab_size" not in data:
            writer.add_vocab_size(vocab)
        complete(writer, data, arch)
        writer.write_header_to_file(path=target)
        writer.write_kv_data_to_file()
        writer.close()
        return arch


def complete(writer, data, arch: str):
    """What the loader insists on, read from weights or absent from the config; it reaches no cache."""
    def missing(key):
        return f"{arch}.{key}" not in data
    if arch in ("qwen2vl", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "paddleocr") and missing("rope.dimension_sections"):
        writer.add_rope_dimension_sections([24, 20, 20, 0])
    if arch in ("exaone-moe", "deepseek32", "glm-dsa", "deepseek2", "dots1") and missing("expert_gating_func"):
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if f"{arch}.expert_count" in data and data[f"{arch}.expert_count"].value and missing("expert_used_count"):
        writer.add_expert_used_count(1)
    if f"{arch}.ple.layers" in data and missing("embedding_length_per_layer_input"):
        writer.add_embedding_length_per_layer_input(data[f"{arch}.embedding_length"].value // len(data[f"{arch}.ple.head_offsets"].value))
    if arch == "apertus":
        layers = data[f"{arch}.block_count"].value
        for add in (writer.add_xielu_alpha_n, writer.add_xielu_alpha_p, writer.add_xielu_beta, writer.add_xielu_eps):
            add([1.0] * layers)


for name in configs:
    path = Path(name)
    key = path.stem
    try:
        index[key] = {"arch": header(path, out_dir / f"{key}.gguf")}
    except (Exception, SystemExit) as error:  # a converter may refuse in any way it likes
        (out_dir / f"{key}.gguf").unlink(missing_ok=True)
        index[key] = {"refused": f"{type(error).__name__}: {error}"[:300]}
    index_file.write_text(json.dumps(index, indent=1, sort_keys=True))
done = sum("arch" in entry for entry in index.values())
print(f"{done} of {len(index)} configurations have a header")
