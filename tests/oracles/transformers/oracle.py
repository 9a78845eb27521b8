"""Asks transformers itself: parameter counts and cache tensors of a config, without weights.

A model is built on the meta device (shapes and dtypes, no data), a prompt is run through its own
forward with its own cache, and the tensors that the cache then holds are listed.
"""
import contextlib, itertools, json, math, os, signal, traceback

os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'critical')

import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig
from transformers import cache_utils
from transformers.integrations import moe
from transformers.models.auto import configuration_auto, modeling_auto

torch.set_grad_enabled(False)
torch.distributions.Distribution.set_default_validate_args(False)
DTYPE = torch.bfloat16
SOURCE = 40  # encoder input tokens of an encoder-decoder whose encoder takes tokens


class TimeOut(Exception):
    pass


@contextlib.contextmanager
def limit(seconds):
    def stop(*_):
        raise TimeOut(f'over {seconds} s')
    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def skip_experts(self, hidden_states, *_, **__):
    """What routed experts return has the shape of what they get; a cache never depends on it."""
    return torch.empty_like(hidden_states)


moe.ALL_EXPERTS_FUNCTIONS.register('skip', skip_experts)


class AnswerData(TorchDispatchMode):
    """Answers the few questions about data that the meta device cannot: scalars are 0, masks select nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._overloadpacket.__name__
        first = args[0] if args else None
        if isinstance(first, torch.Tensor) and first.device.type == 'meta':
            if name == '_local_scalar_dense':
                return False if first.dtype == torch.bool else (0.0 if first.is_floating_point() else 0)
            if name == 'nonzero':
                return torch.empty((0, first.dim()), dtype=torch.long, device='meta')
            if name == 'masked_select':
                return torch.empty((0,), dtype=first.dtype, device='meta')
            if name == 'equal':
                return True
            if name in ('bincount',):
                return torch.empty((kwargs.get('minlength', args[2] if len(args) > 2 else 1),), dtype=torch.long, device='meta')
            if name in ('_unique2', 'unique_consecutive', 'unique_dim'):
                e = torch.empty((0,), dtype=torch.long, device='meta')
                return torch.empty((0,), dtype=first.dtype, device='meta'), e, e
            if name == '_to_copy' and torch.device(kwargs.get('device') or 'meta').type == 'cpu':
                return torch.zeros(first.shape, dtype=kwargs.get('dtype') or first.dtype)
            if name == 'index' and any(i is not None and i.dtype == torch.bool for i in args[1]):
                index = []
                for i in args[1]:
                    if i is not None and i.dtype == torch.bool:
                        index += [torch.empty((0,), dtype=torch.long, device='meta')] * i.dim()
                    else:
                        index.append(i)
                return func(first, index)
        return func(*args, **kwargs)


NAMED = ('CAUSAL_LM', 'IMAGE_TEXT_TO_TEXT', 'SEQ_TO_SEQ_CAUSAL_LM', 'SPEECH_SEQ_2_SEQ', 'MULTIMODAL_LM', 'TEXT_TO_WAVEFORM',
         'TEXT_TO_SPECTROGRAM', 'CAUSAL_IMAGE_MODELING', 'VISUAL_QUESTION_ANSWERING')
# Classes that generate and stand in no auto class.
UNNAMED = (('moshi', 'MoshiForConditionalGeneration'), ('glm_image', 'GlmImageForConditionalGeneration'),
           ('seamless_m4t', 'SeamlessM4TForSpeechToSpeech'), ('seamless_m4t_v2', 'SeamlessM4Tv2ForSpeechToSpeech'),
           ('rag', 'RagTokenForGeneration'), ('clvp', 'ClvpModelForConditionalGeneration'),
           ('flaubert', 'FlaubertWithLMHeadModel'))


def mappings():
    """(model_type, class name) in the order in which an auto class would be tried."""
    for name in NAMED:
        for model_type, classes in getattr(modeling_auto, f'MODEL_FOR_{name}_MAPPING_NAMES').items():
            cls = classes[0] if isinstance(classes, (tuple, list)) else classes
            if name in NAMED[:5] or getattr(transformers, cls).can_generate():
                yield model_type, cls
    yield from UNNAMED


def class_of(config):
    """The class that `architectures` names, else the first auto class that knows the model type."""
    for name in config.architectures or []:
        if hasattr(transformers, name):
            return getattr(transformers, name)
    for model_type, name in mappings():
        if model_type == config.model_type:
            return getattr(transformers, name)
    raise ValueError(f'transformers {transformers.__version__} has no generating class for {config.architectures or config.model_type}')


def config_of(d):
    """The configuration object; a model type transformers does not know is read by the class that `architectures` names."""
    d = {k: v for k, v in d.items() if k not in ('auto_map', 'quantization_config', 'compression_config')}
    if isinstance(d.get('text_config'), dict):
        d['text_config'] = {k: v for k, v in d['text_config'].items() if k not in ('auto_map', 'quantization_config')}
    try:
        return configuration_auto.CONFIG_MAPPING[d['model_type']].from_dict(d)
    except KeyError:
        names = [n for n in d.get('architectures') or [] if hasattr(transformers, n)]
        if not names:
            raise ValueError(f'transformers {transformers.__version__} knows neither model type {d["model_type"]} nor {d.get("architectures")}') from None
        d.pop('model_type')
        return getattr(transformers, names[0]).config_class.from_dict(d)


def read_config(path):
    return config_of(json.load(open(path)))


def set_everywhere(config, key, value):
    setattr(config, key, value)
    for name in list(getattr(config, 'sub_configs', {}) or {}):
        sub = getattr(config, name, None)
        if sub is not None and hasattr(sub, 'to_dict'):
            set_everywhere(sub, key, value)


def build(config, cls=None):
    cls = cls or class_of(config)
    own = cls.config_class
    if own is not None and not isinstance(config, own):  # a text class of a multimodal config: the text part, as the auto classes do
        part = config.get_text_config(decoder=True)
        config = part if isinstance(part, own) else next((c for c in map(lambda n: getattr(config, n, None), config.sub_configs) if isinstance(c, own)), config)
    # modules in plain names, so that a count is of parameters, not of a kernel's packing
    set_everywhere(config, '_experts_implementation_internal', 'skip')
    with torch.device('meta'):
        model = cls._from_config(config, dtype=DTYPE)
    for module in model.modules():
        c = getattr(module, 'config', None)
        if c is not None and hasattr(c, '_experts_implementation_internal'):
            c._experts_implementation_internal = 'skip'
        if type(module).__name__.endswith('ParallelExperts'):
            module.forward = lambda inputs, sizes, m=module: inputs.new_empty((inputs.shape[0], m.output_size))
    model.eval()
    return model


def parameters(model):
    """Exact count, tied weights once; and by top module, routed experts apart."""
    total, by_dtype, split, experts = 0, {}, {}, 0
    for name, p in model.named_parameters():
        total += p.numel()
        d = str(p.dtype).split('.')[-1]
        by_dtype[d] = by_dtype.get(d, 0) + p.numel()
        parts = []
        for part in name.split('.'):
            if part.isdigit() or part in ('weight', 'bias') or len(parts) == 3:
                break
            parts.append(part)
        key = '.'.join(parts)
        split[key] = split.get(key, 0) + p.numel()
        if '.experts.' in name:
            experts += p.numel()
    return {'parameters': total, 'by_dtype': by_dtype, 'split': split, 'routed_experts': experts}


IGNORED = {'_sliding_window_tensor', 'cumulative_length', 'indexer_cumulative_length', 'seqlen_offset'}  # counters, not states


def tensors_of(value, name):
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from tensors_of(v, f'{name}.{k}' if name else str(k))
    elif isinstance(value, (list, tuple)):
        for k, v in enumerate(value):
            yield from tensors_of(v, f'{name}.{k}' if name else str(k))


def rows_of(cache, prefix=''):
    """[layer class, tensors] for every layer, whatever the cache is made of."""
    if isinstance(cache, cache_utils.EncoderDecoderCache):
        return rows_of(cache.self_attention_cache, 'self:') + rows_of(cache.cross_attention_cache, 'cross:')
    rows = []
    if isinstance(cache, cache_utils.Cache):
        for layer in cache.layers:
            found = []
            for key, value in vars(layer).items():
                if key not in IGNORED:
                    found += [t for t in tensors_of(value, key) if t[1].numel()]
            rows.append([prefix + type(layer).__name__, found])
        extra = [t for k, v in vars(cache).items() if k != 'layers' for t in tensors_of(v, k) if t[1].numel()]
        if extra:
            rows.append([prefix + type(cache).__name__, extra])
        return rows
    if isinstance(cache, (list, tuple, dict)):
        items = cache.items() if isinstance(cache, dict) else enumerate(cache)
        return [[f'{prefix}{type(cache).__name__}', list(tensors_of(v, str(k)))] for k, v in items]
    if cache is None:
        return []
    return [[prefix + type(cache).__name__, [t for k, v in vars(cache).items() if k not in IGNORED for t in tensors_of(v, k)]]]


IN_MODULES = ('conv1d_state', 'recurrent_states')  # RecurrentGemma keeps its states in the modules themselves


def module_rows(model):
    rows = []
    for module in model.modules():
        found = [(n, t) for n in IN_MODULES for t in [vars(module).get(n)] if isinstance(t, torch.Tensor)]
        if found:
            rows.append([type(module).__name__, found])
    return rows


def describe(cache, model):
    layers, total, tensors = [], 0, {}
    for kind, found in rows_of(cache) + module_rows(model):
        plain = sorted([n, list(t.shape), str(t.dtype).split('.')[-1]] for n, t in found)
        size = sum(t.numel() * t.element_size() for _, t in found)
        total += size
        for _, shape, dtype in plain:
            key = f'{shape} {dtype}'
            tensors[key] = tensors.get(key, 0) + 1
        same = next((row for row in layers if row[0] == kind and row[2] == plain), None)
        if same:
            same[1] += 1
        else:
            layers.append([kind, 1, plain, size])
    return {'cls': type(cache).__name__, 'bytes': total, 'layers': layers, 'tensors': tensors}


def first(config, *names):
    for name in names:
        for c in (config, config.get_text_config(decoder=True) if hasattr(config, 'get_text_config') else config):
            v = getattr(c, name, None)
            if v is not None:
                return v
    return None


def zeros(*shape):
    return torch.zeros(shape, dtype=torch.long, device='meta')


def floats(*shape):
    return torch.empty(shape, dtype=DTYPE, device='meta')


def image(config, batch, *frames):
    size = config.vision_config.image_size
    return floats(batch, *frames, 3, size, size)


def blip_inputs(config, cls, batch, seq):
    if 'Question' in cls:
        return {'input_ids': zeros(batch, SOURCE), 'decoder_input_ids': zeros(batch, seq), 'pixel_values': image(config, batch)}, SOURCE
    # The class hands out no cache, so it is given one.
    cache = cache_utils.EncoderDecoderCache(*(cache_utils.DynamicCache(config=config.text_config) for _ in range(2)))
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    return {'input_ids': zeros(batch, seq), 'pixel_values': image(config, batch), 'past_key_values': cache}, patches + 1


def qformer_inputs(config, cls, batch, seq):
    # The classes hand out no cache, so they are given one.
    frames = (1,) if 'Video' in cls else ()
    given = {'pixel_values': image(config, batch, *frames)}
    if 'Instruct' in cls:
        given['qformer_input_ids'] = zeros(batch, 8)
        given['qformer_attention_mask'] = zeros(batch, 8)
    if config.text_config.is_encoder_decoder:
        given['past_key_values'] = cache_utils.EncoderDecoderCache(cache_utils.DynamicCache(), cache_utils.DynamicCache())
        return {'input_ids': zeros(batch, SOURCE), 'decoder_input_ids': zeros(batch, seq), **given}, SOURCE
    given['past_key_values'] = cache_utils.DynamicCache(config=config.text_config)
    return {'input_ids': zeros(batch, seq), **given}, None


def musicgen_inputs(config, cls, batch, seq):
    decoder = getattr(config, 'decoder', config)
    ids = zeros(batch * decoder.num_codebooks, seq)
    if 'CausalLM' in cls:
        return {'input_ids': ids}, None
    if 'Melody' in cls:
        raise ValueError('words and melody stand in the one cache before the codes')
    return {'input_ids': zeros(batch, SOURCE), 'decoder_input_ids': ids}, SOURCE


def speecht5_inputs(config, cls, batch, seq):
    if 'SpeechToText' in cls:
        return {'input_values': floats(batch, 16000), 'decoder_input_ids': zeros(batch, seq)}, None
    return {'input_ids': zeros(batch, SOURCE), 'decoder_input_values': floats(batch, seq, config.num_mel_bins),
            'speaker_embeddings': floats(batch, config.speaker_embedding_dim)}, SOURCE


def seamless_inputs(config, cls, batch, seq):
    if cls.endswith('TextToText') or cls.endswith('TextToSpeech') or cls.endswith('Model'):
        return {'input_ids': zeros(batch, SOURCE), 'decoder_input_ids': zeros(batch, seq)}, SOURCE
    return {'input_features': floats(batch, 160, config.feature_projection_input_dim), 'decoder_input_ids': zeros(batch, seq)}, None


def idefics_inputs(config, cls, batch, seq):
    return {'input_ids': zeros(batch, seq), 'pixel_values': image(config, batch, 1),
            'image_attention_mask': zeros(batch, seq, 1)}, None


# What classes take beside, or instead of, the tokens of the text.
OWN_INPUTS = {
    'blip': blip_inputs, 'blip-2': qformer_inputs, 'instructblip': qformer_inputs, 'instructblipvideo': qformer_inputs,
    'musicgen': musicgen_inputs, 'musicgen_decoder': musicgen_inputs, 'musicgen_melody': musicgen_inputs,
    'musicgen_melody_decoder': musicgen_inputs, 'speecht5': speecht5_inputs, 'seamless_m4t': seamless_inputs,
    'seamless_m4t_v2': seamless_inputs, 'idefics': idefics_inputs,
    'pix2struct': lambda config, cls, batch, seq: (
        {'flattened_patches': floats(batch, SOURCE, 2 + config.vision_config.patch_embed_hidden_size), 'decoder_input_ids': zeros(batch, seq)}, SOURCE),
    'kosmos-2': lambda config, cls, batch, seq: ({'input_ids': zeros(batch, seq), 'pixel_values': image(config, batch)}, None),
    'udop': lambda config, cls, batch, seq: (
        {'input_ids': zeros(batch, SOURCE), 'bbox': floats(batch, SOURCE, 4), 'decoder_input_ids': zeros(batch, seq)}, SOURCE),
    'speech-encoder-decoder': lambda config, cls, batch, seq: (
        {'input_values': floats(batch, 16000), 'decoder_input_ids': zeros(batch, seq)}, None),
}


def inputs(model, batch, seq):
    """Prompt of `seq` decoder tokens; encoder inputs as small as the encoder takes them. Returns kwargs, source length."""
    config = model.config
    ids = torch.zeros((batch, seq), dtype=torch.long, device='meta')
    own = OWN_INPUTS.get(config.model_type)
    if own:
        return own(config, type(model).__name__, batch, seq)
    if not config.is_encoder_decoder:
        return {'input_ids': ids}, None
    name = model.main_input_name
    if model.config.model_type in ('whisper',):
        n = config.max_source_positions
        return {'input_features': torch.empty((batch, config.num_mel_bins, 2 * n), device='meta', dtype=DTYPE), 'decoder_input_ids': ids}, n
    if model.config.model_type == 'speech_to_text':
        return {'input_features': torch.empty((batch, 160, config.input_feat_per_channel), device='meta', dtype=DTYPE), 'decoder_input_ids': ids}, 40
    if model.config.model_type in ('moonshine', 'moonshine_streaming'):
        return {'input_values': torch.empty((batch, 16000 * 4), device='meta', dtype=DTYPE), 'decoder_input_ids': ids}, None
    if name == 'input_ids':
        return {'input_ids': torch.zeros((batch, SOURCE), dtype=torch.long, device='meta'), 'decoder_input_ids': ids}, SOURCE
    return {name: torch.empty((batch, SOURCE), device='meta', dtype=DTYPE), 'decoder_input_ids': ids}, None


def cache_from(out):
    for key in ('past_key_values', 'cache', 'cache_params', 'past_buckets_states', 'state', 'mems'):
        v = out.get(key) if hasattr(out, 'get') else getattr(out, key, None)
        if v is not None:
            return v
    return None


NO_STATIC = {
    'blip': 'the decoder takes a cache of its own kind only',
    'unlimited_ocr': 'the size of a static cache depends on where the prompt ends',
}


def static_cache(model, length, source):
    """As `generate` prepares it: the encoder's keys and values at their own length."""
    config = model.config
    c = cache_utils.StaticCache(config=config, max_cache_len=length)
    if config.is_encoder_decoder:
        c = cache_utils.EncoderDecoderCache(c, cache_utils.StaticCache(config=config, max_cache_len=source))
    return c


def case(model, batch, seq, static=None, seconds=120):
    """One forward; with the cache the model makes itself, or a StaticCache of `static` tokens."""
    row = {'batch': batch, 'seq': seq, 'max_cache_len': static}
    try:
        kwargs, source = inputs(model, batch, seq)
        kwargs['use_cache'] = True
        if source is not None:
            row['source'] = source
        config_type = model.config.model_type
        with limit(seconds), torch.device('meta'):
            last = None
            for mode in (contextlib.nullcontext, AnswerData):
                try:
                    if hasattr(model, '_setup_cache') or hasattr(getattr(model, 'model', None), '_setup_cache'):
                        kwargs['past_key_values'] = cache_utils.DynamicCache(config=model.config)
                    if static and config_type in NO_STATIC:
                        raise ValueError(NO_STATIC[config_type])
                    if static:
                        kwargs['past_key_values'] = static_cache(model, static, source)
                    with mode():
                        out = model(**kwargs)
                    if mode is AnswerData:
                        row['answered_data'] = True
                    last = None
                    break
                except TimeOut:
                    raise
                except Exception as e:
                    last = last or e
                    second = e
            if last is not None:
                raise second
        made = cache_from(out)
        if source is None and isinstance(made, cache_utils.EncoderDecoderCache):
            row['source'] = made.cross_attention_cache.layers[0].keys.shape[-2]
        row.update(describe(cache_from(out) or kwargs.get('past_key_values'), model))
    except Exception as e:
        row['error'] = f'{type(e).__name__}: {str(e)[:200]}'
        if os.environ.get('ORACLE_TRACE'):
            traceback.print_exc()
    return row


def shapes(model):
    """Parameter names and shapes, equal layers folded: '[0-3] self_attn.q_proj.weight 4096x4096'."""
    plain, stacks = [], {}
    tied = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        shape = 'x'.join(map(str, p.shape)) or 'scalar'
        if id(p) in tied:
            shape += f' (tied to {tied[id(p)]})'
        else:
            tied[id(p)] = name
        parts = name.split('.')
        at = next((k for k, x in enumerate(parts) if x.isdigit()), None)
        if at is None:
            plain.append(f'{name} {shape}')
        else:
            stacks.setdefault('.'.join(parts[:at]), {}).setdefault(int(parts[at]), []).append(('.'.join(parts[at + 1:]), shape))
    lines = list(plain)
    for prefix, layers in stacks.items():
        groups = []
        for i, rows in sorted(layers.items()):
            sig = fold(rows)
            same = next((g for g in groups if g[1] == sig), None)
            if same:
                same[0].append(i)
            else:
                groups.append([[i], sig])
        for index, sig in groups:
            lines.append(f'{prefix}[{ranges(index)}]:')
            lines += ['    ' + s for s in sig]
    return lines


def fold(rows):
    out = {}
    for name, shape in rows:
        parts = name.split('.')
        number = [x for x in parts if x.isdigit()]
        key = ('.'.join('{}' if x.isdigit() else x for x in parts), shape)
        out.setdefault(key, []).append(tuple(map(int, number)))
    lines = []
    for (name, shape), index in out.items():
        if '{}' in name:
            for k in range(name.count('{}')):
                name = name.replace('{}', '[' + ranges(sorted({i[k] for i in index})) + ']', 1)
        lines.append(f'{name} {shape}')
    return lines


def ranges(index):
    out = []
    for _, g in itertools.groupby(enumerate(index), lambda t: t[1] - t[0]):
        g = list(g)
        out.append(str(g[0][1]) if len(g) == 1 else f'{g[0][1]}-{g[-1][1]}')
    return ','.join(out)
