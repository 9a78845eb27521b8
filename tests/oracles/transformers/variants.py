"""variants.py OUT.jsonl [MODEL_TYPE...]: generating classes with their sizes changed at random, and transformers' answers.

For every model type and class that generates, up to DRAWS (3) draws that the class accepts, each written as the
difference from the class's defaults. SEED in the environment draws others.
"""
import copy, json, math, os, random, re, sys

import oracle

DRAWS, SEED = int(os.environ.get('DRAWS', 3)), os.environ.get('SEED', '')
CASES = ((1, 17, None), (2, 1000, None), (1, 17, 1024))
DROP = re.compile(r'^(id2label|label2id|return_dict|problem_type|chunk_size_feed_forward|torchscript|transformers_version|_name_or_path|is_encoder_decoder|output_.*|rope.*|time_step.*|_experts_implementation)$|dropout|token_id$|initializer')


LAYERS = re.compile(r'^(num_hidden_layers|n_layers?|num_layers|encoder_layers|decoder_layers|num_encoder_layers|num_decoder_layers|num_blocks|depth|num_local_layers|num_global_layers)$')
HIDDEN = re.compile(r'^(hidden_size|n_embd|d_model|dim|emb_dim|embed_dim|embedding_size|vision_hidden_size|d_embed)$')
HEADS = re.compile(r'^(num_attention_heads|n_heads?|num_heads|encoder_attention_heads|decoder_attention_heads|linear_num_value_heads|mamba_num_heads|mamba_n_heads|swa_num_attention_heads)$')
KV = re.compile(r'(num_key_value_heads|n_kv_heads|kv_n_heads|num_kv_heads|linear_num_key_heads|multi_query_group_num|num_global_key_value_heads|swa_num_key_value_heads)$')
HD = re.compile(r'(head_dim|kv_channels|d_kv|d_qkv|head_size|mamba_d_head|v_head_dim|qk_nope_head_dim)$')
INTER = re.compile(r'(intermediate_size|ffn_dim|n_inner|d_ff|intermediate_dim|mlp_hidden|shared_expert_size)$')
EXPERTS = re.compile(r'^(num_experts|n_routed_experts|num_local_experts|moe_num_experts)$')
TOPK = re.compile(r'(num_experts_per_tok|moe_top_?k|top_k_experts|moe_topk|num_experts_per_token)$')
RANK = re.compile(r'(lora_rank|_rank|latent_size|hidden_size_per_layer_input)$')
WINDOW = re.compile(r'(sliding_window|attention_window|window_size|attention_chunk_size|local_window|max_window)$')
STATE = re.compile(r'(d_state|state_size|ssm_state_size|d_conv|conv_kernel|conv_kernel_size|conv_L_cache|mamba_expand|n_groups|linear_conv_kernel_dim|conv_kernel_dim)$')
COUNT = re.compile(r'(first_k_dense_replace|n_shared_experts|num_shared_experts|num_kv_shared_layers|attn_layer_period|attn_layer_offset|expert_layer_period|decoder_sparse_step|sliding_window_pattern|full_attention_interval|max_window_layers|num_nextn_predict_layers|interleave_moe_layer_step|moe_layer_start_index|num_mem_blocks|index_n_heads|index_head_dim)$')
BOOL = re.compile(r'(bias|^tie_|qk_norm|multi_query|parallel_|new_decoder|use_sliding|use_qk|norm_|scale_embedding|use_mla|alibi|residual|_norm$|use_gate|gated)')
SKIPBOOL = re.compile(r'(use_cache|is_encoder_decoder|is_decoder|add_cross|torch)')

def mutate(d, rng, strength, depth=0):
    layers = None
    for k in list(d):
        if LAYERS.match(k) and isinstance(d[k], int):
            old = d[k]
            new = rng.choice([2, 3, 4, 5, 6, 7, 8, 9, 12]) if rng.random() < 0.9 else old
            new = min(new, 14)
            d[k] = new
            for k2, v2 in list(d.items()):
                if isinstance(v2, list) and len(v2) == old and old > 3 or k2 in ('layer_types', 'mlp_layer_types', 'layers_block_type') and isinstance(v2, list):
                    mode = rng.random()
                    if mode < 0.35: d.pop(k2)
                    elif mode < 0.75: d[k2] = [v2[(i * old // new) % len(v2)] if rng.random() < .5 else v2[i % len(v2)] for i in range(new)]
                    else: d[k2] = [rng.choice(v2) for _ in range(new)]
            break
    for k, v in list(d.items()):
        if isinstance(v, dict) and ('config' in k or k in ('encoder', 'decoder', 'text', 'vision', 'generator')):
            mutate(v, rng, strength * 0.8, depth + 1); continue
        if rng.random() > strength: continue
        if isinstance(v, bool):
            if BOOL.search(k) and not SKIPBOOL.search(k) and rng.random() < 0.6: d[k] = not v
            continue
        if isinstance(v, int) or (v is None and (KV.search(k) or HD.search(k) or WINDOW.search(k) or INTER.search(k))):
            if HIDDEN.match(k): d[k] = rng.choice([256, 384, 512, 640, 768, 1024, 1536])
            elif HEADS.match(k): d[k] = rng.choice([4, 8, 8, 16, 12])
            elif KV.search(k): d[k] = rng.choice([1, 2, 4, 8])
            elif HD.search(k): d[k] = rng.choice([32, 64, 96, 128])
            elif INTER.search(k): d[k] = rng.choice([256, 512, 768, 1100, 1408, 3000])
            elif EXPERTS.match(k): d[k] = rng.choice([4, 6, 8, 16])
            elif TOPK.search(k): d[k] = rng.choice([1, 2, 3])
            elif RANK.search(k): d[k] = rng.choice([64, 128, 96, 256])
            elif k == 'qk_rope_head_dim': d[k] = rng.choice([16, 32, 64])
            elif WINDOW.search(k): d[k] = rng.choice([16, 100, 300, 512, 700])
            elif STATE.search(k): d[k] = rng.choice([2, 3, 4, 8, 16, 64])
            elif COUNT.search(k): d[k] = rng.choice([0, 1, 2, 3, 4, 64])
            elif k == 'vocab_size': d[k] = rng.choice([1000, 3200, 5001, 32064])
    return d

def fix(d, rng):
    """Keep the classes' plain divisibility so that most draws are valid."""
    h = next((d[k] for k in d if HIDDEN.match(k) and isinstance(d[k], int)), None)
    n = next((k for k in d if HEADS.match(k) and isinstance(d[k], int)), None)
    if h and n and h % d[n]: d[n] = rng.choice([4, 8])
    for k in d:
        if KV.search(k) and isinstance(d[k], int) and n and d[n] % d[k]: d[k] = rng.choice([1, 2, 4])
        if isinstance(d[k], dict): fix(d[k], rng)


def clean(value):
    """Without what sizes do not depend on, and without numbers that JSON does not have."""
    if isinstance(value, dict):
        return {k: clean(v) for k, v in value.items() if not DROP.search(k)}
    if isinstance(value, list):
        return [clean(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw(model_type, cls, base, name, attempt):
    rng = random.Random(f'{SEED}{name}-{attempt}')
    changed = mutate(copy.deepcopy(base), rng, 0.25 if attempt > 20 else 0.45)
    fix(changed, rng)
    kind = oracle.configuration_auto.CONFIG_MAPPING[model_type]
    written = clean(json.loads(json.dumps(kind.from_dict(changed).to_diff_dict(), default=str)))
    written = {k: v for k, v in written.items() if v != {}}
    written.update(model_type=model_type, architectures=[cls], dtype='bfloat16')
    model = oracle.build(kind.from_dict(copy.deepcopy(written)), getattr(oracle.transformers, cls))
    cases = []
    for one in CASES:
        row = oracle.case(model, *one, seconds=12)
        if row.get('bytes'):
            cases.append({k: row[k] for k in ('batch', 'seq', 'bytes', 'max_cache_len', 'source') if row.get(k) is not None})
    return {'name': name, 'config': written, 'parameters': oracle.parameters(model)['parameters'], 'caches': cases}


def main():
    out, wanted = open(sys.argv[1], 'w'), set(sys.argv[2:])
    first = {}
    for model_type, cls in dict.fromkeys(oracle.mappings()):
        name = model_type if first.setdefault(model_type, cls) == cls else f'{model_type}--{cls}'
        if wanted and model_type not in wanted:
            continue
        base = json.loads(json.dumps(oracle.configuration_auto.CONFIG_MAPPING[model_type]().to_dict(), default=str))
        base.pop('architectures', None)
        if 'vocabulary_map' in base:  # the map of image tokens has no default
            base['vocabulary_map'] = {'<image>': 3}
        if base.get('image_token_index', 0) is None:
            base['image_token_index'] = 3
        got = 0
        for attempt in range(1, 41):
            try:
                with oracle.limit(40):
                    answer = draw(model_type, cls, base, f'{name}-{got + 1}', attempt)
            except Exception:
                continue
            if answer['caches']:
                got += 1
                out.write(json.dumps(answer, separators=(',', ':'), allow_nan=False) + '\n')
                out.flush()
            if got == DRAWS:
                break
        print(name, got, flush=True)


if __name__ == '__main__':
    main()
