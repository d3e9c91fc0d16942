"""A draft as the text of a YAML file, with its reasons as comments."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from showdown.config.read import check
from showdown.config.yaml import load_yaml
from showdown.core.errors import UserError
from showdown.core.metric import CLASSIFICATION
from showdown.core.spec import Comparison
from showdown.core.terminal import escape_controls
from showdown.methods.table import method_and_settings, method_class
from showdown.start.draft import Draft

_WIDTH = 118
_ALWAYS = {"split": "kind", "tuning": "trials"}
"""Sections of the protocol, and the key of each that is always written."""
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./ -]*[A-Za-z0-9_./-]|[A-Za-z]")
"""Text that is the same text in YAML without quotes, but for the words below."""
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan", ".inf", ".nan"})


def yaml_text(draft: Draft, heading: Sequence[str]) -> str:
    """Return the file of a draft. It is read again before it is returned, and is then the same comparison.

    Args:
        draft: the comparison.
        heading: sentences for the top, a line each.

    """
    text = "\n".join([*_comments(heading, ""), *_lines(draft)]) + "\n"
    found = check(load_yaml(text), "the written file")
    assert _same(found, draft.comparison), "the file says what was chosen"
    return text


def _same(one: Comparison, other: Comparison) -> bool:
    return one.model_dump(mode="json") == other.model_dump(mode="json")


def _lines(draft: Draft) -> Iterator[str]:
    comparison = draft.comparison
    yield from _entry("name", comparison.name, draft.why, "")
    if comparison.task != CLASSIFICATION:
        yield from _entry("task", comparison.task, draft.why, "")
    yield from _comments(filter(None, [draft.why.get("model")]), "")
    model = comparison.model.model_dump(mode="json", exclude_defaults=True)
    yield f"model: {_flow({'id': comparison.model.id, **model})}"
    yield from _section("data", comparison.data.model_dump(mode="json"), draft, ["data.source"])
    yield "methods:"
    yield from _methods(draft)
    yield from _section("protocol", comparison.protocol.model_dump(mode="json"), draft, [])
    yield from _entry("seeds", comparison.seeds, draft.why, "")
    for key in _others(draft):
        yield from _entry(key, comparison.model_dump(mode="json")[key], draft.why, "")


def _others(draft: Draft) -> list[str]:
    """Return other keys of the comparison that do not have their defaults."""
    written = draft.comparison.model_dump(mode="json", exclude_defaults=True)
    return [key for key in written if key not in ("name", "task", "model", "data", "methods", "protocol", "seeds")]


def _section(name: str, values: Mapping[str, Any], draft: Draft, always: Sequence[str]) -> Iterator[str]:
    """Yield a section with the keys that the draft shows, and all that do not have their defaults."""
    section = getattr(draft.comparison, name)
    changed = section.model_dump(mode="json", exclude_defaults=True)
    keys = [key for key in values if f"{name}.{key}" in (*draft.shown, *always) or key in changed]
    if not keys:
        return
    yield f"{name}:"
    for key in keys:
        value = values[key]
        if isinstance(value, dict) and key in _ALWAYS:
            value = {_ALWAYS[key]: value[_ALWAYS[key]], **_differing(getattr(section, key))}
        yield from _entry(key, value, draft.why, "  ", f"{name}.{key}")


def _differing(value: BaseModel) -> dict[str, Any]:
    """Return the keys of a section that do not have their defaults, and the number of folds or repeats."""
    numbers = {key: found for key in ("folds", "repeats") if (found := getattr(value, key, None)) is not None}
    return {**numbers, **value.model_dump(mode="json", exclude_defaults=True)}


def _methods(draft: Draft) -> Iterator[str]:
    rows = draft.comparison.methods
    width = max(len(f"{row}: {_flow(written)}") for row, written in rows.items())
    for row, written in rows.items():
        summary = method_class(method_and_settings(row, written)[0]).summary
        yield f"  {f'{row}: {_flow(written)}':<{width}}  # {summary}"
    for name, why in draft.left_out.items():
        yield from _comments([f"{name}: left out: {why}"], "  ")


def _entry(key: str, value: object, why: Mapping[str, str], indent: str, place: str | None = None) -> Iterator[str]:
    yield from _comments(filter(None, [why.get(place or key)]), indent)
    yield f"{indent}{key}: {_flow(value)}"


def _comments(sentences: Iterable[str], indent: str) -> Iterator[str]:
    for sentence in sentences:
        for line in textwrap.wrap(escape_controls(sentence), _WIDTH - len(indent)):
            yield f"{indent}# {line}"


def _flow(value: object) -> str:
    """Return a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    """Return a text as YAML: plain where it stays the same, else in double quotes.

    Raises:
        UserError: for half a surrogate pair, as in the name of a file in another encoding, which no YAML file holds.

    """
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"`{ascii(text)[1:-1]}` cannot be written into a file; rename it") from error
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    number = ord(letter)
    return f"\\x{number:02X}" if number < 0x100 else f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"
