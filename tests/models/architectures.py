"""A tiny random model of each architecture in `docs/architectures.md`, with a tokenizer, saved as one on the hub is."""

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as WITH_PICTURES
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as SEQ2SEQ

from tiny_pretrained import tiny_tokenizer

_SIZES: dict[str, Any] = {
    "vocab_size": 400,
    "initializer_range": 0.1,
    # as most call them
    **{"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 80},
    # as T5, BART, GPT-2, XLM and their kin do
    **{"d_model": 32, "d_ff": 48, "d_kv": 8, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4},
    **{"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
    **{"encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "ffn_dim": 48, "word_embed_proj_dim": 32},
    **{"n_embd": 32, "n_layer": 2, "n_layers": 2, "n_head": 4, "n_heads": 4, "n_positions": 80, "n_ctx": 80},
    **{"n_inner": 48, "embedding_size": 32, "dim": 32, "hidden_dim": 48, "emb_dim": 32, "d_inner": 48, "d_head": 8},
    # mixtures of experts
    **{"num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2},
    **{"moe_intermediate_size": 48, "shared_expert_intermediate_size": 48, "n_group": 1, "topk_group": 1},
}
_TEXT = {key: _SIZES[key] for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                                      "num_attention_heads", "num_key_value_heads", "head_dim")}  # fmt: skip
_PICTURES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
             "image_size": 16, "patch_size": 8}  # fmt: skip
_LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
           "qk_head_dim": 16, "head_dim": 8, "num_key_value_heads": 4}  # fmt: skip
_LINEAR = {"num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 4,
           "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}  # fmt: skip
_WINDOWS = {"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4}
_STARTS = {"decoder_start_token_id": 3}
_OWN: dict[str, dict[str, Any]] = {
    "axk1": _LATENT,
    "bart": {"max_position_embeddings": 80, **_STARTS},
    "big_bird": {"attention_type": "original_full"},
    "bigbird_pegasus": {"attention_type": "original_full", **_STARTS},
    "canine": {"local_transformer_stride": 16, "hidden_size": 32},
    "cohere_compass_text": {**_WINDOWS, "rope_parameters": {
        kind: {"rope_type": "default", "rope_theta": 10_000.0} for kind in ("sliding_attention", "full_attention")}},
    "deepseek_v2": _LATENT,
    "deepseek_v3": {**_LATENT, "first_k_dense_replace": 1},
    "esmc": {"num_key_value_heads": 4, "hidden_size": 32, "num_attention_heads": 4},
    "gemma2": {"query_pre_attn_scalar": 8, "sliding_window": 4},
    "gemma3": {"text_config": {**_TEXT, "sliding_window": 4}, "vision_config": _PICTURES, "mm_tokens_per_image": 4},
    "gemma3_text": {"sliding_window": 4},
    **{kind: {"pad_token_id": 2} for kind in ("glm", "glm4", "phi3", "smollm3")},
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": 4},
    "gptj": {"rotary_dim": 4, "n_embd": 32, "n_head": 4, "n_layer": 2},
    "jamba": {"num_hidden_layers": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
              "expert_layer_offset": 1, "use_mamba_kernels": False},
    "layoutlm": {"max_2d_position_embeddings": 16},
    "lilt": {"hidden_size": 48, "channel_shrink_ratio": 4, "max_2d_position_embeddings": 16},
    "longformer": {"attention_window": 8},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "markuplm": {"max_xpath_tag_unit_embeddings": 4, "max_xpath_subs_unit_embeddings": 4, "tag_pad_id": 0,
                 "subs_pad_id": 0, "max_depth": 2, "xpath_unit_hidden_size": 4},
    "mbart": _STARTS,
    "minicpm3": _LATENT,
    "mistral": {"sliding_window": None},
    "modernvbert": {"text_config": {**_TEXT, "pad_token_id": 0}, "vision_config": _PICTURES},
    "modernbert-decoder": {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "mt5": _STARTS,
    "mvp": _STARTS,
    "perceiver": {"num_latents": 8, "d_latents": 32, "num_self_attends_per_block": 2, "num_self_attention_heads": 4,
                  "num_cross_attention_heads": 4, "qk_channels": 32, "v_channels": 32},
    "plbart": _STARTS,
    "qwen3_5": {"text_config": {**_TEXT, **_LINEAR}, "vision_config": {"depth": 2, "hidden_size": 32, "num_heads": 4,
                "intermediate_size": 48, "out_hidden_size": 32, "num_position_embeddings": 16}},
    "qwen3_5_text": _LINEAR,
    "qwen3_next": _LINEAR,
    "roc_bert": {"enable_shape": False, "enable_pronunciation": False},
    "starcoder2": {"sliding_window": 4},
    "t5": _STARTS,
    "t5gemma": {"encoder": _TEXT, "decoder": _TEXT},
    "t5gemma2": {"encoder": {"text_config": _TEXT, "vision_config": _PICTURES}, "decoder": _TEXT},
    "ultravbert": {"text_config": _TEXT, "vision_config": _PICTURES},
    "umt5": _STARTS,
    "xmod": {"default_language": "en_XX"},
}  # fmt: skip
"""What an architecture needs beyond the sizes."""


Form = Literal["encoder", "decoder", "encoder-decoder"]
_TOKENIZERS: dict[Form, Literal["encoder", "decoder", "seq2seq"]] = {
    "encoder": "encoder",
    "decoder": "decoder",
    "encoder-decoder": "seq2seq",
}


def tiny_config(kind: str, form: Form, **more: Any) -> Any:
    """The configuration of a tiny model of a `model_type`, its tokens those of a tiny tokenizer."""
    usual = AutoConfig.for_model(kind)
    named = set(usual.to_dict()) - set(usual.attribute_map)
    sizes = {key: value for key, value in _SIZES.items() if key in named}
    tokens = tiny_tokenizer(_TOKENIZERS[form])
    numbers = {f"{name}_token_id": getattr(tokens, f"{name}_token_id") for name in ("pad", "bos", "eos", "cls", "sep")}
    special = {key: value for key, value in numbers.items() if value is not None}
    return AutoConfig.for_model(kind, **{**sizes, **special, **_OWN.get(kind, {}), **more})


def make_architecture(kind: str, form: Form, folder: Path, **more: Any) -> None:
    """Write a tiny model of a `model_type`: the backbone of an encoder, a language model otherwise."""
    config = tiny_config(kind, form, **more)
    maker: Any = AutoModel
    if kind in WITH_PICTURES:
        maker = AutoModelForImageTextToText
    elif form == "encoder-decoder" and kind in SEQ2SEQ:
        maker = AutoModelForSeq2SeqLM
    elif form == "decoder" and kind in CAUSAL:
        maker = AutoModelForCausalLM
    torch.manual_seed(0)
    maker.from_config(config).save_pretrained(folder)
    tiny_tokenizer(_TOKENIZERS[form]).save_pretrained(folder)
