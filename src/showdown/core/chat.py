"""Chat messages, and how a prompt of several messages is kept as one text.

Every part of Showdown hands texts on: the data, the processed files, predictors. For a task that writes text such a
text is the prompt, as the JSON of its messages. `written_prompt` writes it, `read_prompt` reads it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import TypeAdapter

from showdown.core.strict import Strict

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")


class Message(Strict):
    """One message of a chat, in the form of OpenAI and TRL."""

    role: Role
    content: str


_MESSAGES = TypeAdapter(tuple[Message, ...])


def written_prompt(messages: Sequence[Message]) -> str:
    """Return messages as one line of JSON: equal messages give equal texts."""
    return json.dumps([{"role": one.role, "content": one.content} for one in messages], ensure_ascii=False)


def read_prompt(text: str) -> tuple[Message, ...]:
    """Return the messages of a prompt.

    Args:
        text: as `written_prompt` made it.

    Raises:
        ValueError: for any other text.

    """
    return _MESSAGES.validate_json(text)


def prompt_of(content: str, *, system: str | None = None) -> str:
    """Return a plain text as the prompt of one user message, behind a system message where there is one."""
    messages = [Message(role="user", content=content)]
    return written_prompt([Message(role="system", content=system), *messages] if system else messages)


Systems = Literal["none", "one", "several"]
"""Which system messages a number of prompts have: none of them has one, all have the same, or they differ."""


def systems_of(prompts: Iterable[str]) -> tuple[Systems, str | None]:
    """Return which system messages prompts have, and the one that all have in common.

    Args:
        prompts: each as `written_prompt` made it.

    """
    found: set[str | None] = set()
    for prompt in prompts:
        first = read_prompt(prompt)[0]
        found.add(first.content if first.role == "system" else None)
        if len(found) > 1:
            return "several", None
    (only,) = found or {None}
    return ("none", None) if only is None else ("one", only)


def shown_prompt(text: str) -> str:
    """Return a prompt for a reader: what the user wrote, or every message behind its role where there are several."""
    messages = read_prompt(text)
    spoken = [one for one in messages if one.role != "system"]
    if len(spoken) == 1:
        return spoken[0].content
    return "\n".join(f"{one.role}: {one.content}" for one in spoken)
