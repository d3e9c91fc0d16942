"""Shapes of the networks that the forecast is fitted on and judged by: keys of their configurations."""

from typing import Any

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {}
"""By name: `model_type` of transformers and the keys of its configuration that are not the default."""


def _decoder(
    name: str, hidden: int, inner: int, layers: int, heads: int, keys: int, vocabulary: int, *, kind: str = "llama",
    **more: Any,
) -> None:  # fmt: skip
    SHAPES[name] = kind, {
        "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": keys, "vocab_size": vocabulary, "max_position_embeddings": 32768, **more,
    }  # fmt: skip


def _encoder(name: str, hidden: int, inner: int, layers: int, heads: int, *, kind: str = "bert", **more: Any) -> None:
    SHAPES[name] = kind, {
        "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        **more,
    }  # fmt: skip


# Of the calibration set.
_decoder("160m", 768, 3072, 12, 12, 12, 32000)
_decoder("1b", 2048, 8192, 16, 32, 8, 32000, kind="mistral")
_decoder("3b", 3072, 8192, 28, 24, 8, 128256, tie_word_embeddings=True)
_decoder("mistral-7b", 4096, 14336, 32, 32, 8, 32000, kind="mistral")
_encoder("bert-base", 768, 3072, 12, 12)
_encoder("roberta-large", 1024, 4096, 24, 16, kind="roberta", max_position_embeddings=514)
_encoder("minilm-l12", 384, 1536, 12, 12)
# Of the first proof, which is part of the calibration since.
_decoder("smollm2-135m", 576, 1536, 30, 9, 3, 49152, tie_word_embeddings=True)
_decoder("smollm2-360m", 960, 2560, 32, 15, 5, 49152, tie_word_embeddings=True)
_decoder("qwen2.5-0.5b", 896, 4864, 24, 14, 2, 151936, kind="qwen2", tie_word_embeddings=True)
_decoder("tinyllama-1.1b", 2048, 5632, 22, 32, 4, 32000)
_decoder("qwen3-1.7b", 2048, 6144, 28, 16, 8, 151936, kind="qwen3", tie_word_embeddings=True, head_dim=128)
_decoder("qwen2.5-3b", 2048, 11008, 36, 16, 2, 151936, kind="qwen2", tie_word_embeddings=True)
_decoder("llama2-7b", 4096, 11008, 32, 32, 32, 32000)
_decoder("llama3-8b", 4096, 14336, 32, 32, 8, 128256)
_decoder("llama2-13b", 5120, 13824, 40, 40, 40, 32000)
_encoder("minilm-l6", 384, 1536, 6, 12)
_encoder("bert-large", 1024, 4096, 24, 16)
_encoder("roberta-base", 768, 3072, 12, 12, kind="roberta", max_position_embeddings=514, vocab_size=50265)
_encoder("xlm-r-large", 1024, 4096, 24, 16, kind="xlm-roberta", max_position_embeddings=514, vocab_size=250002)
_encoder(
    "deberta-v3-base", 768, 3072, 12, 12, kind="deberta-v2", vocab_size=128100, relative_attention=True,
    pos_att_type=["p2c", "c2p"], position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
    position_biased_input=False, max_relative_positions=-1, type_vocab_size=0,
)  # fmt: skip
_encoder("modernbert-base", 768, 1152, 22, 12, kind="modernbert", vocab_size=50368)
_decoder("gpt2", 768, 3072, 12, 12, 12, 50257, kind="gpt2")
# Of the second proof, which is part of the calibration since.
_decoder("qwen3-0.6b", 1024, 3072, 28, 16, 8, 151936, kind="qwen3", tie_word_embeddings=True, head_dim=128)
_decoder("gemma3-1b", 1152, 6912, 26, 4, 1, 262144, kind="gemma3_text", tie_word_embeddings=True, head_dim=256)
_decoder("llama3.2-1b", 2048, 8192, 16, 32, 8, 128256, tie_word_embeddings=True)
_decoder("qwen2.5-1.5b", 1536, 8960, 28, 12, 2, 151936, kind="qwen2", tie_word_embeddings=True)
_decoder("smollm2-1.7b", 2048, 8192, 24, 32, 32, 49152, tie_word_embeddings=True)
_decoder("qwen3-4b", 2560, 9728, 36, 32, 8, 151936, kind="qwen3", tie_word_embeddings=True, head_dim=128)
_decoder("qwen2.5-7b", 3584, 18944, 28, 28, 4, 152064, kind="qwen2")
_decoder("qwen2.5-14b", 5120, 13824, 48, 40, 8, 152064, kind="qwen2")
_decoder("pythia-160m", 768, 3072, 12, 12, 12, 50304, kind="gpt_neox")
_encoder("bert-medium", 512, 2048, 8, 8)
_encoder("electra-base", 768, 3072, 12, 12, kind="electra", embedding_size=768)
_encoder("xlm-r-base", 768, 3072, 12, 12, kind="xlm-roberta", max_position_embeddings=514, vocab_size=250002)
_encoder("mpnet-base", 768, 3072, 12, 12, kind="mpnet", max_position_embeddings=514, vocab_size=30527)
_encoder(
    "deberta-v3-small", 768, 3072, 6, 12, kind="deberta-v2", vocab_size=128100, relative_attention=True,
    pos_att_type=["p2c", "c2p"], position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
    position_biased_input=False, max_relative_positions=-1, type_vocab_size=0,
)  # fmt: skip
_encoder("modernbert-large", 1024, 2624, 28, 16, kind="modernbert", vocab_size=50368)
# Of the proof.
_decoder("danube3-500m", 1536, 4096, 16, 16, 8, 32000)
_decoder("gemma3-270m", 640, 2048, 18, 4, 1, 262144, kind="gemma3_text", tie_word_embeddings=True, head_dim=256)
_decoder("llama3.2-3b", 3072, 8192, 28, 24, 8, 128256, tie_word_embeddings=True)
_decoder("danube3-4b", 3840, 10240, 24, 32, 8, 32000)
_decoder("gemma3-4b", 2560, 10240, 34, 8, 4, 262208, kind="gemma3_text", tie_word_embeddings=True, head_dim=256)
_decoder("yi-6b", 4096, 11008, 32, 32, 4, 64000)
_decoder("deepseek-7b", 4096, 11008, 30, 32, 32, 102400)
_decoder("qwen3-8b", 4096, 12288, 36, 32, 8, 151936, kind="qwen3", head_dim=128)
_decoder("nemo-12b", 5120, 14336, 40, 32, 8, 131072, kind="mistral", head_dim=128)
_decoder("gpt2-medium", 1024, 4096, 24, 16, 16, 50257, kind="gpt2")
_decoder("pythia-410m", 1024, 4096, 24, 16, 16, 50304, kind="gpt_neox")
_encoder("bert-small", 512, 2048, 4, 8)
_encoder("distilroberta", 768, 3072, 6, 12, kind="roberta", max_position_embeddings=514, vocab_size=50265)
_encoder(
    "multilingual-minilm-l12", 384, 1536, 12, 12, kind="xlm-roberta", max_position_embeddings=514, vocab_size=250037
)
_encoder("electra-small", 256, 1024, 12, 4, kind="electra", embedding_size=128)
_encoder("electra-large", 1024, 4096, 24, 16, kind="electra", embedding_size=1024)
_encoder(
    "deberta-v3-large", 1024, 4096, 24, 16, kind="deberta-v2", vocab_size=128100, relative_attention=True,
    pos_att_type=["p2c", "c2p"], position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
    position_biased_input=False, max_relative_positions=-1, type_vocab_size=0,
)  # fmt: skip
