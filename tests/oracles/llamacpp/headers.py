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


class NoTensors(dict):
    """Stands in for the checkpoint's tensors: none are there, none are read."""


def header(config: Path, target: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        # the converter reads config.json with transformers where it can; the file's own keys win
        (Path(folder) / "config.json").write_text(config.read_text())
        hparams = ModelBase.load_hparams(Path(folder), False)
        cls = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
        cls.index_tensors = lambda self, remote_hf_model_id=None: NoTensors()
        model = cls(Path(folder), gguf.LlamaFileType.MOSTLY_BF16, target, hparams=hparams)
        writer = model.gguf_writer
        # set_vocab comes first in the converter; the lists it would write do not reach the cache
        vocab = model.hparams.get("vocab_size") or 32000
        writer.add_tokenizer_model("no_vocab")
        model.set_gguf_parameters()
        data = writer.kv_data[0]
        arch = gguf.MODEL_ARCH_NAMES[model.model_arch]
        if f"{arch}.vocab_size" not in data:
            writer.add_vocab_size(vocab)
        writer.write_header_to_file(path=target)
        writer.write_kv_data_to_file()
        writer.close()
        return arch


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
