"""Small models of our own: sizes that exercise rounding, and one of each kind of module a quantizer may meet."""

LLAMA = dict(architectures=['LlamaForCausalLM'], model_type='llama', dtype='bfloat16', hidden_size=256,
             intermediate_size=768, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
             vocab_size=1000, max_position_embeddings=512, tie_word_embeddings=False)
# 600 is no multiple of 128: the last block of a row is a part of one.
UNEVEN = LLAMA | dict(hidden_size=320, intermediate_size=608, num_attention_heads=5, num_key_value_heads=1)
BIASED = dict(architectures=['Qwen2ForCausalLM'], model_type='qwen2', dtype='bfloat16', hidden_size=384,
              intermediate_size=1152, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
              vocab_size=1200, max_position_embeddings=512, tie_word_embeddings=True)
FUSED = dict(architectures=['Phi3ForCausalLM'], model_type='phi3', dtype='bfloat16', hidden_size=256,
             intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=900,
             max_position_embeddings=512, tie_word_embeddings=False, pad_token_id=0)
MOE = dict(architectures=['Qwen3MoeForCausalLM'], model_type='qwen3_moe', dtype='bfloat16', hidden_size=256,
           intermediate_size=768, moe_intermediate_size=128, num_experts=6, num_experts_per_tok=2,
           num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=64, vocab_size=1000,
           mlp_only_layers=[1], decoder_sparse_step=1, max_position_embeddings=512, tie_word_embeddings=False)
LATENT = dict(architectures=['DeepseekV3ForCausalLM'], model_type='deepseek_v3', dtype='bfloat16', hidden_size=256,
              intermediate_size=512, moe_intermediate_size=128, n_routed_experts=8, n_shared_experts=1, n_group=2,
              topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1, num_hidden_layers=3,
              num_attention_heads=4, num_key_value_heads=4, q_lora_rank=256, kv_lora_rank=128, qk_nope_head_dim=64,
              qk_rope_head_dim=32, v_head_dim=64, vocab_size=1000, max_position_embeddings=512,
              tie_word_embeddings=False)
SHARED = dict(architectures=['Glm4MoeForCausalLM'], model_type='glm4_moe', dtype='bfloat16', hidden_size=256,
              intermediate_size=512, moe_intermediate_size=128, n_routed_experts=8, n_shared_experts=1, n_group=1,
              topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1, num_hidden_layers=3, head_dim=64,
              num_attention_heads=4, num_key_value_heads=2, use_qk_norm=True, attention_bias=True, vocab_size=1000,
              max_position_embeddings=512, tie_word_embeddings=False)

DENSE = {'llama': LLAMA, 'biased': BIASED, 'fused': FUSED}
ALL = DENSE | {'moe': MOE, 'latent': LATENT, 'shared': SHARED}
