"""Which of the rows that wait are answered together."""

from collections.abc import Sequence

_BYTES_A_TOKEN = 4.0
"""Of UTF-8 text. An English token has four letters and a bit, a Chinese one a sign or two of three bytes each."""
_TOKENS_AROUND = 2
_MOST_PADDING = 0.2
"""Share of a padded batch."""


def estimated_tokens(text: str, most: int | None) -> int:
    """Return about how many tokens a text has, by its bytes; the tokenizer belongs to the thread of the model.

    Args:
        text: as the model gets it.
        most: tokens after which it is cut; None where it is not.

    """
    tokens = _TOKENS_AROUND + int(len(text.encode("utf-8")) / _BYTES_A_TOKEN)
    return tokens if most is None else min(tokens, most)


def chosen(tokens: Sequence[int], *, most_tokens: int, most_rows: int, pads: bool) -> list[int]:
    """Return the places of the rows to answer next, the row that waits longest among them.

    Rows that are answered without padding go in the order of their arrival. Where a batch is padded to its longest row,
    rows like the first in length go with it, so that little is computed for nothing.

    Args:
        tokens: of each row, in the order of their arrival; at least one.
        most_tokens: of the batch, with its padding. A longer row goes alone.
        most_rows: of the batch.
        pads: whether shorter rows are padded to the longest.

    """
    if pads:
        return _alike(tokens, most_tokens, most_rows)
    together, count = tokens[0], 1
    for more in tokens[1:most_rows]:
        if together + more > most_tokens:
            break
        together, count = together + more, count + 1
    return list(range(count))


def _alike(tokens: Sequence[int], most_tokens: int, most_rows: int) -> list[int]:
    first = longest = together = tokens[0]
    found = [0]
    for place in sorted(range(1, len(tokens)), key=lambda other: abs(tokens[other] - first)):
        longer, more = max(longest, tokens[place]), together + tokens[place]
        size = longer * (len(found) + 1)
        if len(found) == most_rows or size > most_tokens or size - more > _MOST_PADDING * size:
            break
        longest, together = longer, more
        found.append(place)
    return sorted(found)
