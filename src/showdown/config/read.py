"""From a YAML file and `--set` overrides to a checked comparison."""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from showdown.config.sweep import swept
from showdown.config.task_rules import refuse_misplaced
from showdown.config.yaml import DEEPEST, YamlFault, load_yaml
from showdown.core.errors import UserError, nearest_file, suggestion, then
from showdown.core.spec import Comparison, SharedProtocol
from showdown.core.strict import Strict
from showdown.methods.table import METHODS, build, method_and_settings, method_class, protocol_of, usable_methods
from showdown.tasks.table import TASKS
from showdown.trackers.table import TRACKERS

_SHOULD_BE = "Input should be "
_PLAINLY = {
    "dict_type": "Input should be a section of keys, as in `{key}: {{name: value}}`",
    "model_type": "Input should be a section of keys, as in `{key}: {{name: value}}`",
    "missing": "Is missing",
    "string_pattern_mismatch": "Name it with a-z, 0-9, `.`, `_` and `-`, at most 64 and a letter or digit first",
    "too_short": "Needs at least one entry",
}
"""Messages by pydantic's type of fault, where its own are for programmers."""
_MOST_REPEATED = 200
"""Characters of an override that a message repeats."""
_SLIP = 0.8
"""Likeness (`difflib`'s ratio) from which a word is taken for a slip of another, whatever else is near."""
_ONE_FOR_ALL = ("split", "tuning", "metric", "scorer")
"""Keys of the protocol that no row may have of its own."""


def read_comparison(path: Path | None, *, base: Mapping[str, Any], overrides: Sequence[str]) -> Comparison:
    """Read and check a comparison.

    Args:
        path: its YAML file, or None for ``base`` alone.
        base: what holds where the file says nothing.
        overrides: `dotted.key=value` each, the value read as YAML.

    Raises:
        UserError: for anything that is not as it should be, naming the place.

    """
    source = str(path) if path else "the command line"
    written = {**base, **(_read_yaml(path) if path else {})}
    if path and "name" not in written:
        written["name"] = path.stem
    for words in overrides:
        override(written, words)
    return check(written, source)


def check(written: Mapping[str, Any], source: str) -> Comparison:
    """Check a comparison that is already a mapping; a row that sweeps settings becomes its arms.

    Args:
        written: the comparison.
        source: where it was written, for messages.

    Raises:
        UserError: naming the place and the fix.

    """
    origins: dict[str, str] = {}
    if isinstance(written.get("methods"), dict):
        arms, origins = swept(written["methods"], source)
        written = {**written, "methods": arms}
    try:
        comparison = Comparison.model_validate(written)
    except ValidationError as error:
        raise UserError(f"{source}: {_first_fault(error, Comparison, ())}") from error
    if comparison.task not in TASKS:
        known = then(suggestion(comparison.task, TASKS), f"the tasks are {', '.join(TASKS)}")
        raise UserError(f"{source}: task `{comparison.task}` unknown in `task`{known}")
    for tracker in comparison.trackers:
        if tracker not in TRACKERS:
            raise UserError(
                f"{source}: tracker `{tracker}` unknown in `trackers`"
                f"{then(suggestion(tracker, TRACKERS), 'the trackers are ' + ', '.join(TRACKERS))}"
            )
    for arm, settings in comparison.methods.items():
        row = origins.get(arm, arm)
        method, rest = method_and_settings(arm, settings)
        if method not in METHODS:
            raise UserError(
                f"{source}: method `{method}` unknown in `methods`"
                f"{then(suggestion(method, METHODS), 'the methods are ' + ', '.join(METHODS))}"
                " (a row of another name says `method:`)"
            )
        try:
            built = build(method, rest)
        except ValidationError as error:
            raise UserError(
                f"{source}: {_first_fault(error, method_class(method).Settings, ('methods', row))}"
            ) from error
        reason = _no_such_task(method, comparison.task) or built.unfit_reason(comparison.task)
        if reason:
            raise UserError(f"{source}: `methods.{row}`: {reason}")
        _check_own_protocol(comparison, arm, row, source)
    refuse_misplaced(comparison, source)
    return comparison


def _no_such_task(method: str, task: str) -> str | None:
    """Return that a method cannot do a task, and which can; None where it can."""
    if task in method_class(method).tasks:
        return None
    able = [name for name, kind in usable_methods().items() if task in kind.tasks]
    return f"`{method}` cannot do the task {task}; methods that can are {', '.join(able)}"


def _check_own_protocol(comparison: Comparison, arm: str, row: str, source: str) -> None:
    own = comparison.methods[arm].get("protocol")
    if own is None:
        return
    if not isinstance(own, dict):
        raise UserError(
            f"{source}: `methods.{row}.protocol` is a mapping of what this row does otherwise than all others"
        )
    for key in _ONE_FOR_ALL:
        if key in own:
            raise UserError(
                f"{source}: `methods.{row}.protocol.{key}`: all rows have one {key}; set `protocol.{key}` instead"
            )
    try:
        protocol_of(comparison.protocol, comparison.methods[arm])
    except ValidationError as error:
        raise UserError(f"{source}: {_first_fault(error, SharedProtocol, ('methods', row, 'protocol'))}") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        folder = path.parent if path.parent.is_dir() else Path()
        near = nearest_file(path.name, [file.name for file in folder.glob("*.y*ml")])
        raise UserError(f"no file {path}{near or '; check the path'}") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: this is a folder; name a comparison (.yaml) in it") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error
    try:
        found = load_yaml(text)
    except YamlFault as error:
        raise UserError(f"{path}: not valid YAML{error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: a comparison is a mapping of keys (model, data, methods, protocol, seeds)")
    return found


def override(written: dict[str, Any], words: str) -> None:
    """Set one key of a comparison that is still a mapping.

    Args:
        written: the comparison; changed in place.
        words: `dotted.key=value`, the value read as YAML.

    Raises:
        UserError: where it is not of this form, or the key cannot be set.

    """
    key, equals, value = words.partition("=")
    option = f"--set {words[:_MOST_REPEATED]}"
    if not equals or not all(key.split(".")):
        raise UserError(f"{option}: write it as key=value, as in --set protocol.epochs=5")
    if key.count(".") > DEEPEST:
        raise UserError(f"{option}: nested more than {DEEPEST} deep")
    try:
        parsed = load_yaml(value) if value else None
    except YamlFault as error:
        raise UserError(f"{option}: the value is not valid YAML{error}") from error
    if parsed is None and value and _take_out(written, key, words):
        return
    place, parts = written, key.split(".")
    while len(parts) > 1:
        taken = _longest_known(place, parts)
        step = ".".join(parts[:taken])
        inner = place.get(step)
        if inner is not None and not isinstance(inner, dict):
            raise UserError(f"{option}: `{step}` is a value, not a section")
        place[step] = dict(inner or {})
        place, parts = place[step], parts[taken:]
    place[parts[0]] = parsed


def _take_out(written: dict[str, Any], key: str, override: str) -> bool:
    """Take a row out of the comparison, as `--set methods.qlora=null` asks; return whether the key is a row.

    In a file a row with nothing behind it has its method's default settings.

    Raises:
        UserError: where there is no such row.

    """
    section, _, row = key.partition(".")
    rows = written.get("methods")
    if section != "methods" or not isinstance(rows, dict) or (row not in rows and "." in row):
        return False
    if row not in rows:
        raise UserError(f"--set {override}: no row `{row}` to take out{suggestion(row, rows) or '; check its name'}")
    written["methods"] = {name: settings for name, settings in rows.items() if name != row}
    return True


def _longest_known(place: Mapping[str, Any], parts: Sequence[str]) -> int:
    """Row names may hold dots: take as many parts as a key of this section has, leaving at least one."""
    for taken in range(len(parts) - 1, 1, -1):
        if ".".join(parts[:taken]) in place:
            return taken
    return 1


def _first_fault(error: ValidationError, model: type[Strict], section: tuple[str, ...]) -> str:
    fault = _misspelt_or_first(error.errors(include_url=False))
    location = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        forms, keys = _walk(model, location[:-1])
        known = forms[0].model_fields if len(forms) == 1 else {}
        where = ".".join([*section, *keys])
        place = f" in `{where}`" if where else ""
        return f"`{location[-1]}` unknown{place}{_hint(location[-1], known)}"
    faults = _of_one_value(error, model)
    fault, keys = faults[0], _walk(model, [str(part) for part in faults[0]["loc"]])[1]
    where = ".".join([*section, *keys])
    given = (
        "" if fault["type"] == "missing" or isinstance(fault["input"], dict) else f" (given: {_short(fault['input'])})"
    )
    message = _either_of(faults)
    return f"`{where}`: {message[:1].lower()}{message[1:]}{given}" if where else message


def _misspelt_or_first(faults: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the first fault; where that is a missing key, an unknown one beside it, which is likely what was meant."""
    first = faults[0]
    if first["type"] != "missing":
        return first
    beside = [
        fault for fault in faults if fault["type"] == "extra_forbidden" and fault["loc"][:-1] == first["loc"][:-1]
    ]
    return next(iter(beside), first)


def _of_one_value(error: ValidationError, model: type[Strict]) -> list[ErrorDetails]:
    """Return the faults of the first value that is wrong, one for each form that it might have had.

    Where a value takes one of several forms (a word, or a list of words), the form that it comes nearest to is the one
    in which the fault lies deepest.
    """
    faults = error.errors(include_url=False)
    places = [_walk(model, [str(part) for part in fault["loc"]])[1] for fault in faults]
    deepest = max((place for place in places if place[: len(places[0])] == places[0]), key=len)
    return [fault for fault, place in zip(faults, places, strict=True) if place == deepest]


def _either_of(faults: Sequence[ErrorDetails]) -> str:
    first, *others = dict.fromkeys(map(_in_words, faults))
    return " or ".join([first, *(other.removeprefix(_SHOULD_BE) for other in others)])


def _in_words(fault: ErrorDetails) -> str:
    plainly = _PLAINLY.get(fault["type"])
    if plainly is None:
        return fault["msg"].removeprefix("Value error, ")
    return plainly.format(key=fault["loc"][-1] if fault["loc"] else "")


def _short(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # of a whole number with more digits than are ever shown
        return f"a number of more than {sys.get_int_max_str_digits()} digits"
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _walk(model: type[BaseModel], location: Sequence[str]) -> tuple[list[type[BaseModel]], list[str]]:
    """Follow a place through the models.

    Returns:
        The forms that a value there may have, and the place as a person writes it, without the names of forms.

    """
    forms, keys, named = [model], [], False
    for part in location:
        if len(forms) > 1:
            forms = [form for form in forms if form.model_fields["kind"].default == part]
            continue
        if forms and (part == forms[0].__name__ or part.startswith("literal[")):
            continue  # the name of a form, of which the others are no models
        if forms or named or part.isdigit():
            keys.append(part)
        field = forms[0].model_fields.get(part) if forms else None
        named = field is not None and get_origin(field.annotation) is dict
        forms = _models_in(field.annotation) if field else []
    return forms, keys


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _hint(wrong: str, known: Collection[str]) -> str:
    """Return what was probably meant by an unknown key.

    A slip of a key of the same section comes first, then that very key of another section, with its place, then what is
    near in the same section. Keys of other sections that are merely near are none of these.
    """
    elsewhere = key_places().get(wrong)
    slip = suggestion(wrong, known, likeness=_SLIP)
    if slip or elsewhere is None:
        return slip or suggestion(wrong, known) or (f"; known are {', '.join(known)}" if known else "")
    section = elsewhere.rpartition(".")[0]
    return f"; it belongs under `{section}`" if section else "; it belongs at the top"


def key_places() -> dict[str, str]:
    """Return the dotted place of every key of a comparison and of the methods' settings.

    A key with several places has the highest of them. A setting that several methods have is one of `methods.ROW`.
    """
    places: dict[str, str] = {}
    for name, method in usable_methods().items():
        for key in method.Settings.model_fields:
            places[key] = f"methods.{'ROW' if key in places else name}.{key}"
    waiting: list[tuple[str, type[BaseModel]]] = [("", Comparison)]
    found: dict[str, str] = {}
    for prefix, model in waiting:
        for key, field in model.model_fields.items():
            found.setdefault(key, prefix + key)
            waiting += [(f"{prefix}{key}.", inner) for inner in _models_in(field.annotation)]
    return {**places, **found}
