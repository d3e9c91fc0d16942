"""Special tokens that prompts and answers spell: those of the model, and those of common chat templates."""

import re
from collections.abc import Collection, Iterator, Sequence

from showdown.core.chat import read_prompt
from showdown.core.strict import Strict
from showdown.data.rows import Rows
from showdown.data.tables import count, row_list, shown

TEMPLATE_TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_sep|>"),
    *("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|eot|>"),
    *("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<s>", "</s>"),
    *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    *(
        "<|START_OF_TURN_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
        "<|startoftext|>",
        "<|return|>",
        "<|channel|>",
        "<|message|>",
    ),
)
"""Special tokens of common chat templates: ChatML (Qwen, SmolLM), Llama 2 and 3, Phi, Zephyr, Gemma, Mistral, Command,
gpt-oss. Data that was laid out by a template before holds them."""


class SpelledToken(Strict):
    """A special token that data spell."""

    token: str
    rows: list[int]
    """1-based rows in whose prompt or answer it stands."""
    of_model: bool
    """Whether it is one of the model's own, which is broken up by a space where a chat is laid out."""


def spelled_tokens(rows: Rows, of_model: Collection[str]) -> list[SpelledToken]:
    """Return the special tokens that prompts and answers spell, those of the model first.

    Args:
        rows: prompts with answers.
        of_model: special tokens of the model's tokenizer.

    """
    known = {token.casefold(): token for token in (*of_model, *TEMPLATE_TOKENS)}
    own = {token.casefold() for token in of_model}
    pattern = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))), re.IGNORECASE)
    found: dict[str, list[int]] = {}
    for row, prompt, answer in zip(rows.row_ids, rows.texts, rows.answers, strict=True):
        contents = (*(one.content for one in read_prompt(prompt)), answer)
        for token in sorted({match.casefold() for text in contents for match in pattern.findall(text)}):
            found.setdefault(token, []).append(row)
    order = sorted(found, key=lambda token: (token not in own, token))
    return [SpelledToken(token=known[token], rows=found[token], of_model=token in own) for token in order]


def spelled_lines(spelled: Sequence[SpelledToken]) -> list[str]:
    """Return a line for each special token in the data."""
    return [
        f"{count(len(one.rows), 'row')} {'spells' if len(one.rows) == 1 else 'spell'} {shown(one.token)}"
        f" ({row_list(one.rows)}), {_what_it_is(one)}"
        for one in spelled
    ]


def spelled_listing(spelled: Sequence[SpelledToken]) -> Iterator[tuple[int, str, str]]:
    """Yield a row, the finding and a detail for each row that spells a special token."""
    for one in spelled:
        for row in one.rows:
            yield row, "special token", f"spells {shown(one.token)}"


def _what_it_is(one: SpelledToken) -> str:
    if one.of_model:
        return "a special token of this model: it is broken up by a space where a chat is laid out"
    return "a special token of other chat templates: it stays as it is, and is plain text to this model"
