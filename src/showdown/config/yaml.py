"""YAML within bounds: a few hundred bytes of it can stand for gigabytes, or nest deeper than any reader can follow."""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    ScalarEvent,
)
from ruamel.yaml.nodes import Node, ScalarNode
from ruamel.yaml.reader import ReaderError

DEEPEST = 40
"""Levels of nesting; a comparison has five."""
MOST_CHARACTERS = 200_000
"""With every alias written out; a comparison has a few thousand."""
_LONGEST_NUMBER = 400
"""Digits; a float has 17, and its exponent 308."""
_FAULTS = (ValueError, KeyError, TypeError, OverflowError, IndexError, AttributeError)
"""What the library lets out for a value that its tag cannot have, as in `!!bool x`."""


class YamlFault(Exception):
    """Text that is no YAML of a comparison: what is wrong, and in which line where that is known."""

    def __init__(self, why: str, line: int | None) -> None:
        place = "" if line is None else f" at line {line}"
        super().__init__(f"{place}: {why}")


class _Constructor(SafeConstructor):
    """Plain values alone, and a place for each that cannot be made."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        numeric = node.tag is not None and node.tag.endswith((":int", ":float"))
        if numeric and isinstance(node, ScalarNode) and len(node.value) > _LONGEST_NUMBER:
            raise ConstructorError(None, None, f"a number of {len(node.value)} digits", node.start_mark)
        try:
            return super().construct_object(node, deep)
        except _FAULTS as error:
            kind = str(node.tag).rpartition(":")[2]
            raise ConstructorError(None, None, f"a value that is no {kind}", node.start_mark) from error


def load_yaml(text: str) -> Any:
    """Return the values of a YAML document.

    Raises:
        YamlFault: for anything else, and for one that is larger than a comparison can be, aliases written out.

    """
    if len(text) > MOST_CHARACTERS:
        raise YamlFault(f"{len(text)} characters, a comparison has {MOST_CHARACTERS} at most", None)
    try:
        _bounded(YAML(typ="safe", pure=True).parse(text))
        reader = YAML(typ="safe", pure=True)
        reader.Constructor = _Constructor
        return reader.load(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlFault(f"the character U+{ord(text[error.position]):04X} is not allowed", line) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context or "cannot be read").splitlines()[0]
        raise YamlFault(problem, mark.line + 1 if mark else None) from error
    except (YAMLError, RecursionError, *_FAULTS) as error:
        raise YamlFault((str(error) or type(error).__name__).splitlines()[0][:200], None) from error


def _bounded(events: Iterator[Event]) -> None:
    """Follow a document to its end, or to where it nests too deep or has become too large."""
    whole = 0
    sizes: dict[str | None, int] = {}
    begun: list[tuple[str | None, int]] = []
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, CollectionStartEvent):
            begun.append((event.anchor, whole))
            if len(begun) > DEEPEST:
                raise YamlFault(f"nested more than {DEEPEST} deep", line)
        elif isinstance(event, CollectionEndEvent):
            anchor, before = begun.pop()
            sizes[anchor] = whole - before
        elif isinstance(event, ScalarEvent):
            sizes[event.anchor] = len(event.value) + 1
            whole += len(event.value) + 1
        elif isinstance(event, AliasEvent):
            if event.anchor in dict(begun):
                raise YamlFault(f"`*{event.anchor}` stands for what it is in", line)
            whole += sizes.get(event.anchor, 0) + 1
        if whole > MOST_CHARACTERS:
            raise YamlFault(f"with its aliases written out, more than {MOST_CHARACTERS} characters", line)
