"""Write docs/configuration.md, the reference of all keys of a comparison, from the models that check them.

python docs/configuration.py            # or: make docs
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from showdown.core.spec import Comparison, ComparisonProtocol, DataSpec, ModelSpec, SplitFiles, TuningSpec
from showdown.core.split import SPLIT_KINDS
from showdown.methods.table import METHODS, method_class

PAGE = Path(__file__).with_name("configuration.md")
_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("At the top", Comparison),
    ("`model`", ModelSpec),
    ("`data`", DataSpec),
    ("`data.files`", SplitFiles),
    ("`protocol`", ComparisonProtocol),
    ("`protocol.tuning`", TuningSpec),
)
_BOUNDS = {"ge": "at least {}", "gt": "over {}", "le": "at most {}", "lt": "under {}", "min_length": "at least {} long"}
_HEAD = """# Configuration

Every key of a comparison, its default and what it does. A key is written in the comparison's YAML file, or set on the
command line by its dotted name: `--set protocol.epochs=5`. A row is taken out by `--set methods.qlora=null`.

A list where a setting of a method takes one value is a sweep: `lora: {rank: [4, 16, 64]}`, or
`--set methods.lora.rank=[4,16,64]`, makes the arms `lora-rank-4`, `lora-rank-16` and `lora-rank-64`. Two lists make an
arm of each combination, at most 64 of a row. A setting that takes a list itself is swept by a list of lists:
`targets: [all-linear, [q_proj, v_proj]]`. The keys of an arm's own `protocol` are swept alike:
`lora: {protocol: {warmup_fraction: [0.0, 0.1]}}`. `--methods lora` takes all arms of the row `lora`.

This page is made from the models that check a comparison: `make docs`.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD, *(f"## {title}\n\n{_table(model)}" for title, model in _SECTIONS)]
    for kind, model in SPLIT_KINDS.items():
        parts.append(f"## `protocol.split` of kind `{kind}`\n\n{_said(inspect.getdoc(model) or '')}\n\n{_table(model)}")
    for name in METHODS:
        method = method_class(name)
        said = f"{method.title}: {method.summary}."
        keys = _table(method.Settings) if method.Settings.model_fields else "It has no settings."
        parts.append(f"## `methods`: `{name}`\n\n{said}\n\n{keys}")
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _table(model: type[BaseModel]) -> str:
    said = _docstrings(model)
    lines = ["| key | values | default | |", "| --- | --- | --- | --- |"]
    for key, field in model.model_fields.items():
        cells = (f"`{key}`", _values(field), _default(field), _said(said.get(key, "")))
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def _said(text: str) -> str:
    return " ".join(text.split())


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "needed"
    if isinstance(value, BaseModel):
        return "see below"
    return "none" if value is None else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(field: FieldInfo) -> str:
    return ", ".join(dict.fromkeys([*_kinds(field.annotation), *_bounds(field.metadata)]))


def _bounds(rules: Iterable[Any]) -> Iterator[str]:
    for rule in rules:
        for part in (rule, *getattr(rule, "metadata", ())):
            for name, words in _BOUNDS.items():
                if getattr(part, name, None) is not None:
                    yield words.format(getattr(part, name))


def _kinds(annotation: Any) -> Iterator[str]:
    """Say which values an annotation allows, in words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *rules = get_args(annotation)
        yield from (*_kinds(inner), *_bounds(rules))
    elif origin in {Union, UnionType}:
        for inner in get_args(annotation):
            yield from _kinds(inner)
    elif origin is Literal:
        yield from (f"`{_yaml(value)}`" for value in get_args(annotation))
    elif origin in {list, tuple}:
        inner = next(iter(get_args(annotation)), str)
        yield f"a list ({', '.join(dict.fromkeys(_kinds(inner)))})"
    elif origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        yield "a section"
    elif annotation is not type(None):
        yield {bool: "`true`, `false`", int: "a whole number", float: "a number"}.get(annotation, "text")


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the text beneath each field, where its class or one that it comes from has one."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not (issubclass(owner, BaseModel) and owner is not BaseModel):
            continue
        (made,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(made, ast.ClassDef)
        for field, text in zip(made.body, made.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = text.value.value if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) else ""
                found[field.target.id] = str(said)
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
