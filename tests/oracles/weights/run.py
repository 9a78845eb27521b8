"""run.py OUT.jsonl [ORACLE...]: what the quantizers themselves write for small models, in bytes by dtype.

One line a case: `oracle` (package and version), `name`, `config` (a config.json with the quantizer's own
`quantization_config`) and `bytes` by dtype of every tensor of the checkpoint. What only describes a matrix
(bitsandbytes' `quant_state` text and `weight_format`) is left out: engines read it and keep nothing of it.
"""
import collections, copy, functools, importlib.metadata, json, os, sys, tempfile

os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'critical')

import torch
import transformers
from safetensors import safe_open
from torch import nn

import models

torch.manual_seed(0)
torch.set_num_threads(1)
DESCRIPTIONS = ('quant_state.bitsandbytes__', 'weight_format')


def version(package):
    return f'{package} {importlib.metadata.version(package)}'


def config_of(raw):
    raw = dict(raw)
    return transformers.CONFIG_MAPPING[raw['model_type']].from_dict(raw)


def total(tensors):
    by_dtype = collections.Counter()
    for name, tensor in tensors:
        if not any(part in name for part in DESCRIPTIONS):
            by_dtype[str(tensor.dtype).removeprefix('torch.')] += tensor.numel() * tensor.element_size()
    return dict(sorted(by_dtype.items()))


def once(model):
    """What a model's state dict holds, tied parameters once."""
    parameters = dict(model.named_parameters())
    every = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    yield from parameters.items()
    yield from ((name, tensor) for name, tensor in model.state_dict().items() if name not in every)


def saved(folder):
    for file in sorted(os.listdir(folder)):
        if file.endswith('.safetensors'):
            with safe_open(os.path.join(folder, file), 'pt') as tensors:
                for name in tensors.keys():
                    yield name, tensors.get_tensor(name)


@functools.cache
def loaded(text):
    raw = json.loads(text)
    cls = getattr(transformers, raw['architectures'][0])
    with tempfile.TemporaryDirectory() as folder:
        cls(config_of(raw)).to(torch.bfloat16).save_pretrained(folder)
        return cls.from_pretrained(folder, dtype=torch.bfloat16)


def plain(raw):
    """The model with random weights, loaded as `from_pretrained` loads a checkpoint in bf16."""
    return copy.deepcopy(loaded(json.dumps(raw)))


class Expert(nn.Module):
    """One expert of a stack as a checkpoint names it, which is how quantizers see experts."""

    def __init__(self, hidden, inner):
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)


def unstack(model):
    """Experts one by one: transformers stacks them into one tensor when it loads them."""
    for name, module in list(model.named_modules()):
        if name.endswith('.experts') and hasattr(module, 'gate_up_proj'):
            count, twice, hidden = module.gate_up_proj.shape
            experts = nn.ModuleList(Expert(hidden, twice // 2) for _ in range(count)).to(module.gate_up_proj)
            model.set_submodule(name, experts)
    return model


def bitsandbytes():
    """Quantized while loading and saved again."""
    cls = transformers.BitsAndBytesConfig
    kinds = {
        'nf4': dict(load_in_4bit=True, bnb_4bit_quant_type='nf4'),
        'nf4 nested': dict(load_in_4bit=True, bnb_4bit_quant_type='nf4', bnb_4bit_use_double_quant=True),
        'fp4 nested': dict(load_in_4bit=True, bnb_4bit_quant_type='fp4', bnb_4bit_use_double_quant=True),
        'nf4 stored as bf16': dict(load_in_4bit=True, bnb_4bit_quant_type='nf4', bnb_4bit_quant_storage='bfloat16'),
        'int8': dict(load_in_8bit=True),
        'nf4 skip': dict(load_in_4bit=True, llm_int8_skip_modules=['lm_head', 'model.layers.1.mlp', 'q_proj']),
        'nf4 head': dict(load_in_4bit=True, llm_int8_skip_modules=['model.layers.0.self_attn']),
        'int8 skip': dict(load_in_8bit=True, llm_int8_skip_modules=['lm_head', 'down_proj']),
    }
    for name, raw in (models.DENSE | {'uneven': models.UNEVEN}).items():
        for kind, options in kinds.items():
            if kind == 'nf4 head' and raw['tie_word_embeddings']:
                continue
            with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as target:
                plain(raw).save_pretrained(source)
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    source, quantization_config=cls(**options), device_map='cpu', dtype=torch.bfloat16)
                model.save_pretrained(target)
                config = json.load(open(os.path.join(target, 'config.json')))['quantization_config']
                yield f'{name}, {kind}', raw, config, total(saved(target))


def compressed_tensors():
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationConfig, QuantizationScheme, apply_quantization_config
    from compressed_tensors.quantization import QuantizationArgs

    def weights(**options):
        return {'group_0': QuantizationScheme(targets=['Linear'], weights=QuantizationArgs(**options))}

    kinds = {preset: {preset: ['Linear']} for preset in (
        'W4A16', 'W4A16_ASYM', 'W8A16', 'W8A8', 'W4A8', 'FP8', 'FP8_DYNAMIC', 'FP8_BLOCK', 'NVFP4A16', 'NVFP4',
        'MXFP4', 'MXFP4A16', 'MXFP8')}
    kinds |= {
        'int4 group 32': weights(num_bits=4, strategy='group', group_size=32),
        'int4 group 64 asymmetric': weights(num_bits=4, strategy='group', group_size=64, symmetric=False),
        'int4 weight order': weights(num_bits=4, strategy='group', group_size=64, actorder='weight'),
        'int4 channel': weights(num_bits=4, strategy='channel'),
        'int8 channel asymmetric': weights(num_bits=8, strategy='channel', symmetric=False),
        'int3 group 64': weights(num_bits=3, strategy='group', group_size=64),
    }
    skipped = {
        'head': [],
        'without head': ['lm_head'],
        'without a layer': ['lm_head', 're:.*layers\\.1\\..*'],
        'without attention': ['lm_head', 're:.*self_attn.*', 'model.layers.0.mlp.down_proj'],
    }
    cache = QuantizationArgs(num_bits=8, type='float', strategy='tensor', dynamic=False, symmetric=True)
    for name, raw in models.ALL.items():
        for kind, groups in kinds.items():
            if name not in ('llama', 'biased') and kind not in ('W4A16', 'FP8', 'FP8_BLOCK', 'NVFP4', 'W8A8'):
                continue
            for ignored, ignore in skipped.items():
                if raw['tie_word_embeddings'] and ignored == 'head':
                    continue  # a tied head cannot be stored otherwise than its table
                if ignored != 'without head' and kind not in ('W4A16', 'FP8', 'NVFP4'):
                    continue
                for scheme in (None, cache) if ignored == 'without head' and kind in ('FP8', 'W4A16') else (None,):
                    if scheme and name == 'latent':
                        continue
                    model = unstack(plain(raw))
                    try:
                        apply_quantization_config(model, QuantizationConfig(
                            config_groups=groups, ignore=ignore, kv_cache_scheme=scheme))
                        compressor = ModelCompressor.from_pretrained_model(model)
                        compressor.compress_model(model)
                    except (ValueError, KeyError) as error:
                        print('refused:', name, kind, ignored, str(error)[:100], flush=True)
                        continue
                    with tempfile.TemporaryDirectory() as folder:
                        path = os.path.join(folder, 'config.json')
                        json.dump({}, open(path, 'w'))
                        compressor.update_config(folder)
                        config = json.load(open(path))['quantization_config']
                    yield f'{name}, {kind}, {ignored}{", cache scales" if scheme else ""}', raw, config, total(once(model))


def modelopt():
    import modelopt.torch.quantization as mtq
    from modelopt.torch.export import export_hf_checkpoint
    kinds = ['FP8_DEFAULT_CFG', 'NVFP4_DEFAULT_CFG', 'W4A16_NVFP4_CFG', 'FP8_2D_BLOCKWISE_WEIGHT_ONLY_CFG',
             'FP8_PER_CHANNEL_PER_TOKEN_CFG', 'MXFP8_DEFAULT_CFG', 'MXFP4_DEFAULT_CFG', 'INT8_SMOOTHQUANT_CFG',
             'INT8_WEIGHT_ONLY_CFG', 'NVFP4_MLP_ONLY_CFG', 'NVFP4_EXPERTS_ONLY_CFG', 'W4A8_NVFP4_FP8_CFG']
    for name, raw in models.ALL.items():
        for kind in kinds:
            if name != 'llama' and kind not in ('FP8_DEFAULT_CFG', 'NVFP4_DEFAULT_CFG', 'NVFP4_MLP_ONLY_CFG', 'NVFP4_EXPERTS_ONLY_CFG'):
                continue
            for cache in (False, True) if kind in ('FP8_DEFAULT_CFG', 'NVFP4_DEFAULT_CFG') else (False,):
                model = plain(raw)
                model.config.dtype = torch.bfloat16
                model.config.architectures = raw['architectures']
                config = getattr(mtq, kind)
                if cache:
                    config = mtq.utils.update_quant_cfg_with_kv_cache_quant(config, mtq.FP8_KV_CFG['quant_cfg'])
                try:
                    mtq.quantize(model, config, lambda model: [model(torch.randint(0, 800, (2, 64))) for _ in range(8)])
                    with tempfile.TemporaryDirectory() as folder:
                        export_hf_checkpoint(model, export_dir=folder)
                        config = json.load(open(os.path.join(folder, 'config.json')))['quantization_config']
                        yield f'{name}, {kind}{", cache scales" if cache else ""}', raw, config, total(saved(folder))
                except (ValueError, KeyError, AssertionError, NotImplementedError, RuntimeError, AttributeError, TypeError) as error:
                    print('refused:', name, kind, type(error).__name__, str(error)[:100], flush=True)


def gptqmodel():
    """GPTQModel's own layers, in place of the linear modules of the decoder's layers."""
    from gptqmodel.nn_modules.qlinear.torch_awq import AwqTorchLinear
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization.config import dynamic_get
    cases = []
    for bits in (2, 3, 4, 8):
        for group in (32, 64, 128, -1):
            for order in (False, True):
                cases.append(dict(quant_method='gptq', bits=bits, group_size=group, desc_act=order, sym=not order))
    cases += [
        dict(quant_method='gptq', bits=4, group_size=128, desc_act=False, sym=True, lm_head=True),
        dict(quant_method='gptq', bits=4, group_size=64, desc_act=False, sym=True,
             dynamic={'-:.*layers\\.0\\.self_attn.*': {}, '+:.*down_proj.*': {'bits': 8, 'group_size': 32}}),
        dict(quant_method='gptq', bits=4, group_size=64, desc_act=False, sym=True,
             modules_in_block_to_quantize=[['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'], ['self_attn.o_proj']]),
    ]
    cases += [dict(quant_method='awq', bits=4, group_size=group, zero_point=zero, version='gemm')
              for group in (32, 64, 128, -1) for zero in (True, False)]
    cases.append(dict(quant_method='awq', bits=4, group_size=64, zero_point=True, version='gemm',
                      modules_to_not_convert=['layers.1.self_attn', 'down_proj']))
    for name, raw in models.ALL.items():
        for case in cases:
            is_awq = case['quant_method'] == 'awq'
            if case.get('lm_head') and raw['tie_word_embeddings']:
                continue
            model = unstack(plain(raw)).half().to('meta')
            model.tie_weights()
            inside = sum(case.get('modules_in_block_to_quantize', []), [])
            for path, module in list(model.named_modules()):
                own = dynamic_get(case.get('dynamic'), path)
                quantized = type(module) is nn.Linear and own is not False and (
                    '.layers.' in path and (not inside or any(path.endswith(end) for end in inside))
                    or path == 'lm_head' and case.get('lm_head'))
                if not quantized or any(part in path for part in case.get('modules_to_not_convert', [])):
                    continue
                options = dict(bits=case['bits'], group_size=case['group_size'], desc_act=case.get('desc_act', False),
                               sym=case.get('sym', not case.get('zero_point', True))) | (own or {})
                with torch.device('meta'):
                    layer = (AwqTorchLinear if is_awq else TorchLinear)(
                        in_features=module.in_features, out_features=module.out_features, bias=module.bias is not None,
                        register_buffers=True, **options)
                model.set_submodule(path, layer)
            label = ', '.join(f'{k} {v}' for k, v in case.items() if k not in ('dynamic', 'modules_in_block_to_quantize', 'modules_to_not_convert'))
            extra = next((k for k in ('dynamic', 'modules_in_block_to_quantize', 'modules_to_not_convert') if k in case), '')
            yield f'{name}, {label} {extra}'.strip(), raw | {'dtype': 'float16'}, case, total(once(model))


def transformers_own():
    """The modules that transformers puts in place before it loads a checkpoint."""
    # FBGEMM's kernel is looked up beforehand; it is not called here.
    torch.library.define('fbgemm::quantize_fp8_per_row', '(Tensor x) -> Tensor')
    from transformers.integrations.fbgemm_fp8 import replace_with_fbgemm_fp8_linear
    from transformers.integrations.finegrained_fp8 import replace_with_fp8_linear
    from transformers.quantizers.base import HfQuantizer
    from transformers.utils.quantization_config import FbgemmFp8Config, FineGrainedFP8Config
    fp8 = dict(quant_method='fp8', activation_scheme='dynamic')
    cases = {
        'fp8 blocks 128 x 128': fp8 | dict(weight_block_size=[128, 128]),
        'fp8 blocks 64 x 32': fp8 | dict(weight_block_size=[64, 32]),
        'fp8 per tensor': fp8 | dict(weight_block_size=None),
        'fp8 per tensor, static': fp8 | dict(weight_block_size=None, activation_scheme='static'),
        'fp8 blocks, some kept': fp8 | dict(weight_block_size=[128, 128], modules_to_not_convert=[
            'lm_head', 'model.layers.0.self_attn', 'model.layers.2.mlp.down_proj']),
        'fp8 per tensor, static, some kept': fp8 | dict(
            weight_block_size=None, activation_scheme='static', modules_to_not_convert=['lm_head', 'q_proj', 'model.layers.1']),
        'fbgemm_fp8': dict(quant_method='fbgemm_fp8', activation_scale_ub=1200.0, modules_to_not_convert=['lm_head']),
        'fbgemm_fp8, some kept': dict(
            quant_method='fbgemm_fp8', activation_scale_ub=1200.0,
            modules_to_not_convert=['lm_head', 'model.layers.0', 'model.layers.1.self_attn']),
    }
    for name, raw in (models.ALL | {'uneven': models.UNEVEN}).items():
        for kind, case in cases.items():
            is_dense = name in models.DENSE or name == 'uneven'
            if kind.startswith('fbgemm') and name not in ('llama', 'uneven', 'fused'):
                continue
            if 'static' in kind and not is_dense:
                continue  # a stack of experts has one activation scale here; a checkpoint has one an expert
            model = plain(raw).to('meta')
            model.tie_weights()
            skip = HfQuantizer.get_modules_to_not_convert(
                model, case.get('modules_to_not_convert'), model._keep_in_fp32_modules)
            torch.set_default_dtype(torch.bfloat16)  # as while a model is loaded
            if kind.startswith('fp8'):
                options = {key: value for key, value in case.items() if key != 'quant_method'}
                replace_with_fp8_linear(model, skip, FineGrainedFP8Config(**options), pre_quantized=True)
            else:
                replace_with_fbgemm_fp8_linear(
                    model, modules_to_not_convert=skip, pre_quantized=True,
                    quantization_config=FbgemmFp8Config(modules_to_not_convert=skip))
            torch.set_default_dtype(torch.float32)
            yield f'{name}, {kind}', raw, case, total(once(model))


ORACLES = {'bitsandbytes': bitsandbytes, 'compressed-tensors': compressed_tensors, 'nvidia-modelopt': modelopt,
           'gptqmodel': gptqmodel, 'transformers': transformers_own}


def main():
    out, names = sys.argv[1], sys.argv[2:] or list(ORACLES)
    with open(out, 'a') as file:
        for oracle in names:
            label = 'gptqmodel 7.7.0' if oracle == 'gptqmodel' else version(oracle)
            for name, raw, quantization, by_dtype in ORACLES[oracle]():
                quantization = {k: v for k, v in quantization.items() if v not in (None, {}) and k not in ('producer', 'version')
                                or k in ('llm_int8_skip_modules', 'weight_block_size', 'version') and k in quantization and oracle != 'compressed-tensors'}
                row = {'oracle': label, 'name': name, 'config': raw | {'quantization_config': quantization}, 'bytes': by_dtype}
                print(oracle, name, sum(by_dtype.values()), flush=True)
                file.write(json.dumps(row, separators=(',', ':')) + '\n')


if __name__ == '__main__':
    main()
