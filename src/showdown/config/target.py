"""From what a user names (a comparison file, a data file, some methods) to a checked comparison."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from showdown.config.guess import guessed_task
from showdown.config.read import check, read_comparison
from showdown.core.errors import UserError, suggestion, then
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.spec import Comparison
from showdown.methods.table import METHODS, method_class
from showdown.tasks.table import TASKS

DEFAULT_METHODS = {
    CLASSIFICATION: ("majority", "tfidf", "zero-shot", "frozen", "full", "lora", "qlora"),
    GENERATION: ("most-common", "zero-shot", "few-shot", "full", "lora", "qlora"),
}
"""The arms where no comparison file names any, by task."""

Target = Comparison | Mapping[str, Any] | Path | str
"""What `showdown.run` takes: a comparison, its mapping, its YAML file, or a data file."""


def comparison_for(
    target: Target | None,
    *,
    methods: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> Comparison:
    """Return the comparison that a target means. The task of a data file is guessed from its columns.

    Args:
        target: a comparison, its mapping, its YAML file, or else a data file, dataset id or `resumes`, whose arms are
            `methods` or the default methods of its task.
        methods: names of the arms to keep, in this order; all by default. A string may hold several, with commas. They
            are chosen after `overrides` are applied, which may define them.
        overrides: `dotted.key=value` each, for a file.
        say: called with a line where a task other than classification was guessed.

    Raises:
        UserError: for anything wrong in it, or an arm that it does not have.

    """
    if methods is not None:
        methods = [word.strip() for words in methods for word in words.split(",") if word.strip()]
    if isinstance(target, Comparison):
        return _with_arms(target, methods)
    if isinstance(target, Mapping):
        return _with_arms(check(target, "the comparison"), methods)
    if target is not None and Path(target).suffix in (".yaml", ".yml"):
        return _with_arms(read_comparison(Path(target), base={}, overrides=overrides), methods)
    known = [name for name in methods or () if name in METHODS]
    task, why = guessed_task(None if target is None else str(target), overrides)
    if why and say:
        say(why)
    base: dict[str, Any] = {"methods": {name: {} for name in known or _default_methods(task)}, "task": task}
    if target is not None:
        base |= {"data": {"source": str(target)}, "name": _name_of(str(target))}
    return _with_arms(read_comparison(None, base=base, overrides=overrides), methods, METHODS)


def _default_methods(task: str) -> list[str]:
    """Return the default methods of a task, of those that there are; those of classification for an unknown task."""
    names = DEFAULT_METHODS.get(task, DEFAULT_METHODS[CLASSIFICATION])
    return [name for name in names if name in METHODS and (task not in TASKS or task in method_class(name).tasks)]


def _with_arms(
    comparison: Comparison, methods: Sequence[str] | None, more: Sequence[str] | Mapping[str, str] = ()
) -> Comparison:
    """Keep the named arms of a comparison, in the order named.

    Args:
        comparison: which has them.
        methods: their names; None for all arms.
        more: names beside its arms that a message may suggest.

    """
    if methods is None:
        return comparison
    if not methods:
        raise UserError("--methods names no method; name one or more, as in --methods tfidf,lora")
    for name in methods:
        if name not in comparison.methods:
            known = dict.fromkeys([*comparison.methods, *more])
            more_known = then(suggestion(name, known), f"known are {', '.join(known)}")
            raise UserError(f"--methods {name}: unknown{more_known}")
    return comparison.model_copy(
        update={"methods": {name: comparison.methods[name] for name in dict.fromkeys(methods)}}
    )


def _name_of(source: str) -> str:
    """Return a name for a comparison of this data; one that loses letters ends with a digest of all of them."""
    stem = Path(source).stem
    kept = "".join(character if character.isascii() and character.isalnum() else "-" for character in stem)
    name = kept.lower().strip("-")[:64]
    if any(character.isalnum() and not character.isascii() for character in stem) or not name:
        digest = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return "-".join(filter(None, (name[:55].strip("-") or "comparison", digest)))
    return name


def default_output(comparison: Comparison) -> Path:
    """Return the folder of a comparison where the user names none."""
    return Path("showdown-out") / comparison.name
