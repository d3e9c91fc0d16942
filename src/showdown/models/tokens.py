"""From texts to token ids, the same for every method that counts tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError

_NO_LIMIT = 1_000_000
"""Tokenizers without a limit of their own say a number far above this."""
_COUNTED_AT_ONCE = 2_000
"""Texts; a tokenizer keeps hundreds of bytes a token until all are done."""
_POSITIONS_BEHIND_PADDING = (
    *("camembert", "data2vec-text", "ibert", "lilt", "longformer", "luke", "mpnet"),
    *("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
"""Families whose first token has the position behind the padding token's number (`create_position_ids_from_input_ids`
in transformers): RoBERTa's 514 positions hold 512 tokens."""


def load_tokenizer(folder: Path) -> Any:
    """Load a model's tokenizer, with a pad token (its end-of-sequence one where it has none) and right padding.

    Raises:
        UserError: when the folder has none that can be read, or none that can pad.

    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the library raises whatever it meets
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise UserError(
            f"no tokenizer can be read in {folder} ({why}); save it there with the tokenizer's `save_pretrained`"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise UserError(f"the tokenizer in {folder} has no token to pad with; give it a `pad_token` and save it again")
    tokenizer.padding_side = "right"
    tokenizer.truncation_side = "right"
    return tokenizer


def token_limit(tokenizer: Any, config: Any, asked: int) -> int:
    """Return how many tokens of a text are read: what was asked, or less where the model can take no more."""
    limits = [asked]
    if tokenizer.model_max_length and tokenizer.model_max_length < _NO_LIMIT:
        limits.append(int(tokenizer.model_max_length))
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    positions = getattr(config, "max_position_embeddings", None)
    if positions and positions > 0:  # XLNet's, which has no limit, are -1
        skipped = config.pad_token_id + 1 if getattr(config, "model_type", "") in _POSITIONS_BEHIND_PADDING else 0
        limits.append(int(positions) - skipped)
    return min(limits)


def encode(tokenizer: Any, texts: Sequence[str], limit: int) -> list[list[int]]:
    """Return the token ids of each text with the model's special tokens, cut at ``limit`` tokens."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(
        list(texts), add_special_tokens=True, truncation=True, max_length=limit, return_attention_mask=False
    )["input_ids"]
    return ids


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Return how many tokens each text has, special ones included, uncut."""
    counts: list[int] = []
    for start in range(0, len(texts), _COUNTED_AT_ONCE):
        part = list(texts[start : start + _COUNTED_AT_ONCE])
        ids = tokenizer(part, add_special_tokens=True, return_attention_mask=False, verbose=False)["input_ids"]
        counts += [len(row) for row in ids]
    return counts
