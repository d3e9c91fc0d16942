"""Networks that continue a row padded on the left as they continue it alone."""

LEFT_PADDED = (
    "afmoe", "apertus", "arcee", "aria_text", "axk1", "beam", "biogpt", "bitnet", "bloom", "cohere", "cohere2",
    "cohere2_moe", "cohere_compass_text", "ctrl", "cwm", "deepseek_v2", "deepseek_v3", "deepseek_v4",
    "diffllama", "doge", "ernie4_5", "ernie4_5_moe", "exaone4", "exaone_moe", "falcon", "falcon_h1",
    "falcon_mamba", "flint", "gemma2", "gemma3", "gemma4_unified_text", "glm", "glm4", "glm4_moe", "gpt-sw3",
    "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_neox_japanese", "gpt_oss", "gptj", "granite",
    "granite_swa", "granitemoe", "granitemoe_swa", "granitemoeshared", "helium", "hrm_text", "hunyuan_v1_dense",
    "hunyuan_v1_moe", "hy_v3", "hyperclovax", "inkling2_text", "inkling_text", "internlm3", "iquestcoder",
    "jais2", "jamba", "jetmoe", "kolibri1", "laguna", "lfm2", "mamba", "mellum", "mimo_v2_flash", "minicpm3",
    "minimax", "minimax_m2", "minimax_m3_vl_text", "ministral", "ministral3", "mixtral", "modernbert-decoder",
    "moshi", "mpt", "nanochat", "nemotron", "nemotron_h", "olmo", "olmo2", "olmo3", "olmoe", "openai-gpt",
    "opt", "persimmon", "phi", "phi3", "phimoe", "qwen2_moe", "qwen3_5", "qwen3_5_text", "qwen3_moe",
    "qwen3_next", "seed_oss", "smollm3", "solar_open", "stablelm", "starcoder2", "vaultgemma", "xglm",
)  # fmt: skip
"""transformers' `model_type`: those for which `tests/models/test_causal_architectures.py` has seen it. Others continue
rows of equal length together; the BART family, for one, counts its positions from the padding on."""
