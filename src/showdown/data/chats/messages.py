"""Read a chat: a list of messages, in the form of OpenAI and TRL or of ShareGPT.

A message of the first form has `role` and `content`, one of the second `from` and `value`. Roles of ShareGPT are
renamed: `human` is the user, `gpt` the assistant.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from showdown.core.chat import ROLES, Message, Role
from showdown.core.errors import suggestion, then
from showdown.data.tables import Number, Wrong, shown

_FORMS = (("role", "content"), ("from", "value"))
_SAME_ROLE: dict[str, Role] = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant"}
"""Roles of ShareGPT and its kin by those of OpenAI."""
_NEAR_ROLE = {"developer": "system", "model": "assistant", "ai": "assistant"}
_TOOL_ROLES = ("tool", "function")
_EXAMPLE = '`[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]`'


class ChatFault(ValueError):
    """What is wrong with a chat, as the end of a sentence that begins with its column."""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """The messages of one row."""

    messages: tuple[Message, ...]
    unused: frozenset[str] = frozenset()
    """Keys of its messages beside role and content; they are not read."""


def same_line_ends(text: str) -> str:
    r"""Return a text with `\n` at the end of each line. Nothing else of a prompt or an answer is ever changed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_chat(cell: object) -> bool:
    """Return whether a cell holds a list of objects, or the JSON of one, as chats are written."""
    value = cell.value if isinstance(cell, Wrong) else _parsed(cell)
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def read_chat(cell: str | Wrong) -> Chat:
    """Return the messages of a cell: a list, or the JSON of one.

    An empty system message says nothing and is left out.

    Raises:
        ChatFault: for anything else; the message says what to write.

    """
    value = cell.value if isinstance(cell, Wrong) else _parsed(cell)
    if not isinstance(value, list):
        what = cell.what if isinstance(cell, Wrong) else "text"
        raise ChatFault(f"is {what}, not a list of messages; write {_EXAMPLE}")
    if not value:
        raise ChatFault(f"has no message; write {_EXAMPLE}")
    messages = [_message(number, one) for number, one in enumerate(value, start=1)]
    for number, message in enumerate(messages, start=1):
        if message.role != "system" and not message.content.strip():
            raise ChatFault(f"has an empty {message.role} message, number {number}; write its content, or drop the row")
    unused = frozenset(key for one in value for key in one if key not in sum(_FORMS, ()) and one[key] is not None)
    return Chat(messages=tuple(one for one in messages if one.content.strip()), unused=unused)


def _message(number: int, value: object) -> Message:
    if not isinstance(value, Mapping):
        raise ChatFault(f"has a message that is no object, number {number}; write {_EXAMPLE}")
    role_key, content_key = _form_of(number, value)
    role, content = _role(number, value[role_key]), value.get(content_key)
    for key in ("tool_calls", "function_call"):
        if value.get(key):
            raise ChatFault(f"calls a tool in message {number} (`{key}`); tools are not supported: drop the row")
    if content is None:
        raise ChatFault(f"has no `{content_key}` in message {number}; write it as text")
    if not isinstance(content, str) or isinstance(content, Number):
        what = {list: "a list", dict: "an object", bool: "a bare value"}.get(type(content), "a number")
        raise ChatFault(f"has {what} as `{content_key}` of message {number}; write it as text")
    return Message(role=role, content=same_line_ends(content))


def _form_of(number: int, value: Mapping[str, Any]) -> tuple[str, str]:
    """Return the keys of role and content."""
    for role, content in _FORMS:
        if value.get(role) is not None:
            return role, content
    keys = ", ".join(shown(str(key)) for key in list(value)[:5]) or "none"
    raise ChatFault(f"has a message without a role, number {number} (its keys: {keys}); add `role`: {_listed(ROLES)}")


def _role(number: int, written: object) -> Role:
    name = str(written).strip().casefold()
    for role in ROLES:
        if name == role:
            return role
    if name in _SAME_ROLE:
        return _SAME_ROLE[name]
    where = f"has the unknown role {shown(str(written))} in message {number}"
    if name in _TOOL_ROLES:
        raise ChatFault(f"{where}; tools are not supported: drop the row")
    near = f"; did you mean `{_NEAR_ROLE[name]}`?" if name in _NEAR_ROLE else suggestion(name, ROLES)
    raise ChatFault(f"{where}{then(near, f'the roles are {_listed(ROLES)}')}")


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)


def _parsed(cell: object) -> object:
    """Return the list that a text holds as JSON, or None."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return None
    try:
        return json.loads(cell, parse_int=Number, parse_float=Number)
    except (ValueError, RecursionError):
        return None


def written_json(value: object) -> str:
    """Return a nested value as JSON text, as `json.dumps` writes it, with numbers exactly as they were read.

    Raises:
        ChatFault: for a value that JSON cannot have, such as a date.

    """
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {written_json(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return "[" + ", ".join(map(written_json, value)) + "]"
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ChatFault(
            f"holds a value of the type {type(value).__name__}, which is no JSON; write it as text"
        ) from error


def _key(key: object) -> str:
    return json.dumps(str(key), ensure_ascii=False)
