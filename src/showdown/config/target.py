"""From what a user names (a comparison file, a data file, some methods) to a checked comparison."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from showdown.config.guess import guessed_task
from showdown.config.read import check, read_comparison
from showdown.config.sweep import arms_of
from showdown.core.errors import UserError, suggestion, then
from showdown.core.files import read_file
from showdown.core.metric import AUTO, CLASSIFICATION, GENERATION
from showdown.core.spec import Comparison
from showdown.methods.table import METHODS, method_class
from showdown.tasks.table import TASKS

DEFAULT_METHODS = {
    CLASSIFICATION: ("majority", "tfidf", "zero-shot", "frozen", "full", "lora", "qlora"),
    GENERATION: ("most-common", "zero-shot", "few-shot", "full", "lora", "qlora"),
}
"""The arms where no comparison file names any, by task."""

READY_MADE = "comparisons"
"""The folder of the ready-made comparisons; the package has a link to it, `ready_made`, so that they are installed."""
_COMPARISON = "comparison.json"
"""In the folder of a comparison: the comparison, defaults filled in."""
_CHOSEN = "chosen.json"
"""Beside it where something was `auto` (`runner/chosen.py`)."""
Target = Comparison | Mapping[str, Any] | Path | str
"""What `showdown.run` takes: a comparison, its mapping, its YAML file, its folder, or a data file."""


def comparison_for(
    target: Target | None,
    *,
    methods: Sequence[str] | None = None,
    add: Sequence[str] = (),
    overrides: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> Comparison:
    """Return the comparison that a target means. The task of a data file is guessed from its columns.

    Args:
        target: a comparison, its mapping, its YAML file, the folder that it was run into, or else a data file, dataset
            id or `resumes`, whose arms are `methods` or the default methods of its task.
        methods: names of the arms to keep, in this order; all by default. A string may hold several, with commas. They
            are chosen after `overrides` are applied, which may define them.
        add: methods that become rows with their default settings, beside those that there are; with commas as well.
        overrides: `dotted.key=value` each, for a file.
        say: called with a line where a task other than classification was guessed, or a ready-made one is taken.

    Raises:
        UserError: for anything wrong in it, or an arm that it does not have.

    """
    comparison = _requested(target, methods=None if methods is None else _words(methods), overrides=overrides, say=say)
    return _with_added(comparison, _words(add))


def _words(written: Sequence[str]) -> list[str]:
    return [word.strip() for words in written for word in words.split(",") if word.strip()]


def _requested(
    target: Target | None,
    *,
    methods: Sequence[str] | None,
    overrides: Sequence[str],
    say: Callable[[str], None] | None,
) -> Comparison:
    if isinstance(target, Comparison):
        return _with_arms(target, methods)
    if isinstance(target, Mapping):
        return _with_arms(check(target, "the comparison"), methods)
    if target is not None and Path(target).suffix in (".yaml", ".yml"):
        path = _ready_made(Path(target))
        if say and path != Path(target):
            say(f"{target}: the ready-made one, {path}")
        return _with_arms(read_comparison(path, base={}, overrides=overrides), methods)
    if target is not None and is_output(Path(target)):
        return _with_arms(read_comparison(None, base=_read_output(Path(target)), overrides=overrides), methods)
    known = [name for name in methods or () if name in METHODS]
    task, why = guessed_task(None if target is None else str(target), overrides)
    if why and say:
        say(why)
    base: dict[str, Any] = {"methods": {name: {} for name in known or _default_methods(task)}, "task": task}
    if target is not None:
        base |= {"data": {"source": str(target)}, "name": _name_of(str(target))}
    return _with_arms(read_comparison(None, base=base, overrides=overrides), methods, METHODS)


def _ready_made(path: Path) -> Path:
    """Return the ready-made comparison that `comparisons/NAME.yaml` means where no such file is; else the same path."""
    shipped = Path(__file__).parents[1] / "ready_made" / path.name
    return shipped if path.parent == Path(READY_MADE) and shipped.is_file() and not path.exists() else path


def is_output(target: Path) -> bool:
    """Return whether a path is the folder of a comparison that was run, or begun."""
    return (target / _COMPARISON).is_file()


def _read_output(folder: Path) -> dict[str, Any]:
    """Return the comparison of a folder, with `auto` where it had it: what that stood for is kept beside it.

    Raises:
        UserError: when its file is damaged.

    """
    try:
        found = json.loads(read_file(folder / _COMPARISON))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{folder / _COMPARISON} cannot be read; name the comparison (.yaml) or the data file"
        ) from error
    protocol = found.get("protocol") if isinstance(found, dict) else None
    if not isinstance(protocol, dict):
        raise UserError(f"{folder / _COMPARISON} is no comparison; name the comparison (.yaml) or the data file")
    auto = _chosen_in(folder)
    return {
        **found,
        **({"seeds": AUTO} if "seeds" in auto else {}),
        "protocol": {**protocol, **({"tuning": AUTO} if "tuning" in auto else {})},
    }


def _chosen_in(folder: Path) -> Sequence[str]:
    """Return which of `seeds` and `tuning` were `auto`."""
    try:
        found = json.loads(read_file(folder / _CHOSEN))["auto"]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return []
    return found if isinstance(found, list) else []


def _with_added(comparison: Comparison, add: Sequence[str]) -> Comparison:
    """Return the comparison with more rows; a row that is there stays as it is."""
    new: dict[str, Any] = {name: {} for name in add if name not in comparison.methods}
    if not new:
        return comparison
    written = comparison.model_dump(mode="json")
    return check({**written, "methods": {**written["methods"], **new}}, "--add")


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
        methods: their names, or that of a row which sweeps settings, for all its arms; None for all arms.
        more: names beside its arms that a message may suggest.

    """
    if methods is None:
        return comparison
    if not methods:
        raise UserError("--methods names no method; name one or more, as in --methods tfidf,lora")
    chosen: dict[str, Any] = {}
    for name in methods:
        arms = [name] if name in comparison.methods else arms_of(name, comparison.methods)
        chosen |= {arm: comparison.methods[arm] for arm in arms}
        if not arms:
            known = dict.fromkeys([*comparison.methods, *more])
            more_known = then(suggestion(name, known), f"known are {', '.join(known)}")
            raise UserError(f"--methods {name}: unknown{more_known}")
    return comparison.model_copy(update={"methods": chosen})


def _name_of(source: str) -> str:
    """Return a name for a comparison of this data; one that loses letters ends with a digest of all of them."""
    stem = Path(source).stem
    kept = "".join(character if character.isascii() and character.isalnum() else "-" for character in stem)
    name = kept.lower().strip("-")[:64]
    if any(character.isalnum() and not character.isascii() for character in stem) or not name:
        digest = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return "-".join(filter(None, (name[:55].strip("-") or "comparison", digest)))
    return name


def default_output(comparison: Comparison, target: Target | None = None) -> Path:
    """Return the folder of a comparison where the user names none: the one that was named as the target, if it was."""
    if isinstance(target, (str, Path)) and is_output(Path(target)):
        return Path(target)
    return Path("showdown-out") / comparison.name
