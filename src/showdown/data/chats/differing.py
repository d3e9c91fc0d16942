"""What of each prompt is compared to find copies: what differs between prompts.

An instruction that all prompts have in common would make them all similar, and hide that their inputs differ. Left out
are therefore system messages that many rows share, and the words with which all prompts begin or end.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from showdown.core.chat import Message, read_prompt

LEAST_PROMPTS = 8
"""Fewest different prompts whose common words count as an instruction. What fewer have in common is content."""
LEAST_SHARE = 0.1
"""Share of the rows from which on a system message is an instruction, and not the input of its rows."""


def differing_texts(prompts: Sequence[str]) -> list[str]:
    """Return the part of each prompt in which it may differ from the others. Equal prompts give equal texts.

    Args:
        prompts: each as `core/chat.py` keeps it.

    """
    chats = [read_prompt(prompt) for prompt in prompts]
    counted = Counter(one.content for chat in chats for one in chat if one.role == "system")
    shared = {content for content, rows in counted.items() if rows > 1 and rows >= LEAST_SHARE * len(prompts)}
    texts = [_spoken(chat, shared) for chat in chats]
    if len(set(texts)) < LEAST_PROMPTS:
        return texts
    words = [text.split() for text in texts]
    different = {tuple(found) for found in words}
    begin = _common(list(different))
    shortest = min(map(len, different))
    end = min(_common([found[::-1] for found in different]), shortest - begin)
    return [" ".join(found[begin : len(found) - end]) for found in words]


def _spoken(chat: Sequence[Message], shared: set[str]) -> str:
    kept = [one.content for one in chat if one.role != "system" or one.content not in shared]
    return "\n".join(kept)


def _common(texts: Sequence[tuple[str, ...]]) -> int:
    """Return with how many equal words all texts begin."""
    low, high = min(texts), max(texts)  # in alphabetical order all others lie between these two
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False)))
