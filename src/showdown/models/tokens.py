"""From texts to token ids, the same for every method that reads tokens."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.errors import UserError
from showdown.models.chat_template import template_text

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

_NO_LIMIT = 1_000_000
"""Tokenizers without a limit of their own give a number far above this."""
_COUNTED_AT_ONCE = 2_000
"""Texts in one call: a tokenizer keeps hundreds of bytes for each token until all are done."""
TOKENS_A_WORD, _TOKENS_AROUND = 1.4, 2
"""Where there is no tokenizer."""
_ROUNDS = 4
"""A normaliser may join what was broken up; in practice one round is enough."""
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
"""In the place of a single letter that is a special token, as CANINE has them."""
_POSITIONS_BEHIND_PADDING = (
    *("camembert", "data2vec-text", "ibert", "lilt", "longformer", "luke", "mpnet"),
    *("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
"""Families whose first token has the position behind the padding token's number (`create_position_ids_from_input_ids`
in transformers): RoBERTa's 514 positions hold 512 tokens."""


def load_tokenizer(folder: Path, chat_template: str | None = None) -> "PreTrainedTokenizerBase":
    """Load a model's tokenizer, with a pad token (its end-of-sequence one where it has none) and right padding.

    Args:
        folder: of the model.
        chat_template: `model.chat_template` as runs have it, in place of the template in the folder.

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
    if tokenizer.is_fast:  # slow tokenizers would then skip ordinary added tokens too; `literal` handles those
        tokenizer.split_special_tokens = tokenizer.init_kwargs["split_special_tokens"] = True
    if chat_template is not None:
        tokenizer.chat_template = template_text(chat_template)
    _refuse_tokens_beyond(tokenizer, folder)
    return tokenizer


def _refuse_tokens_beyond(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Refuse a tokenizer with tokens for which the network has no embedding."""
    from transformers import AutoConfig

    if not (folder / "config.json").is_file():
        return
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        rows = getattr(config.get_text_config(), "vocab_size", None)
    except (OSError, ValueError, KeyError):  # reported where the network is opened
        return
    if not rows or max([len(tokenizer) - 1, *tokenizer.added_tokens_decoder]) < rows:
        return
    framing = {tokenizer.pad_token_id, *tokenizer("")["input_ids"]}
    special = _marks(tokenizer) - framing  # never given, such as those for pictures
    beyond = {
        number: token for token, number in tokenizer.get_vocab().items() if number >= rows and number not in special
    }
    if beyond:
        raise UserError(
            f"the tokenizer in {folder} has {len(beyond)} tokens, among them `{beyond[min(beyond)]}`, beyond the "
            f"network's {rows:,} embeddings; make room with `model.resize_token_embeddings(len(tokenizer))` and save "
            "both again"
        )


def token_limit(
    tokenizer: "PreTrainedTokenizerBase", config: "PretrainedConfig", most: int, *, virtual_tokens: int = 0
) -> int:
    """Return how many tokens of a text are read: ``most``, or fewer where the model can take no more.

    Args:
        tokenizer: the model's.
        config: the network's.
        most: the limit of the comparison.
        virtual_tokens: that a method puts to every text; they take positions of the model.

    """
    limits = [most]
    if tokenizer.model_max_length and tokenizer.model_max_length < _NO_LIMIT:
        limits.append(int(tokenizer.model_max_length))
    positions = positions_of(config)
    return min(limits if positions is None else [*limits, positions - virtual_tokens])


def positions_of(config: "PretrainedConfig") -> int | None:
    """Return how many tokens a network was made for; None where it names no limit."""
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    positions = getattr(config, "max_position_embeddings", None)
    if not positions or positions < 0:  # XLNet's, which has no limit, are -1
        return None
    skipped = config.pad_token_id + 1 if getattr(config, "model_type", "") in _POSITIONS_BEHIND_PADDING else 0
    return int(positions) - skipped


def _marks(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return the ids of special tokens, except that of unknown words, which ordinary texts may contain."""
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    marks = added | set(tokenizer.all_special_ids)
    others = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.sep_token_id, tokenizer.cls_token_id}
    return marks if tokenizer.unk_token_id in others else marks - {tokenizer.unk_token_id}


def _marked_places(tokenizer: "PreTrainedTokenizerBase", text: str, marks: set[int]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each place where a text spells a special token."""
    if tokenizer.is_fast:
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        yield from (
            tuple(place)
            for number, place in zip(found["input_ids"], found["offset_mapping"], strict=True)
            if number in marks
        )
    elif marks & set(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]):
        spelled = sorted(map(str, tokenizer.convert_ids_to_tokens(sorted(marks))), key=len, reverse=True)
        yield from (match.span() for match in re.finditer("|".join(map(re.escape, spelled)), text, re.IGNORECASE))


def literal(tokenizer: "PreTrainedTokenizerBase", text: str) -> str:
    """Return a text without special tokens: those that it spells, such as `</s>`, are broken up by a space.

    A tokenizer's own option for that (`split_special_tokens`) is not enough: a Unigram tokenizer such as T5's finds
    them in its vocabulary, and a normaliser may make them from other letters.
    """
    marks = _marks(tokenizer)
    for _ in range(_ROUNDS):
        places = list(_marked_places(tokenizer, text, marks))
        for start, end in reversed(places):
            spelled = text[start:end].strip()
            text = f"{text[:start]} {f'{spelled[0]} {spelled[1:]}' if len(spelled) > 1 else _UNREADABLE} {text[end:]}"
        if not places:
            break
    return text


def encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], limit: int) -> list[list[int]]:
    """Return the token ids of each text with the model's special tokens, cut at ``limit`` tokens.

    The special tokens are those that the tokenizer puts around a text, never those that a text spells.
    """
    return _encode(tokenizer, texts, truncation=True, max_length=limit)


def _encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], **options: object) -> list[list[int]]:
    if not texts:
        return []

    def encoded(some: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(
            list(some), add_special_tokens=True, return_attention_mask=False, verbose=False, **options
        )["input_ids"]
        return ids

    if not tokenizer.is_fast:  # ByT5's leaves out its own end token where a text has one
        return encoded([literal(tokenizer, text) for text in texts])
    marks = _marks(tokenizer)
    around = _count(encoded([""])[0], marks)
    ids = encoded(texts)
    spelled = [row for row, found in enumerate(ids) if _count(found, marks) > around]
    if spelled:
        for row, found in zip(spelled, encoded([literal(tokenizer, texts[row]) for row in spelled]), strict=True):
            ids[row] = found
    return ids


def _count(ids: Sequence[int], marks: set[int]) -> int:
    return sum(number in marks for number in ids)


def count_tokens(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[int]:
    """Return how many tokens each text has, special ones included, uncut."""
    counts: list[int] = []
    for start in range(0, len(texts), _COUNTED_AT_ONCE):
        counts += [len(row) for row in _encode(tokenizer, texts[start : start + _COUNTED_AT_ONCE])]
    return counts


def tokens_by_words(text: str) -> float:
    """Return about how many tokens a text has, where no tokenizer is there to count them."""
    return _TOKENS_AROUND + TOKENS_A_WORD * len(text.split())
