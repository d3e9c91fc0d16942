"""From a data file to a commented comparison that fits the data and the machine."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from showdown.config.target import comparison_for, is_output
from showdown.core.errors import UserError
from showdown.core.files import prepare_to_write, write_text
from showdown.core.forecast_words import short_lines
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.spec import Comparison
from showdown.core.split import KFoldSplit
from showdown.data.audit import audit_rows, findings, lines
from showdown.data.tables import count
from showdown.models.chat_template import with_chat_template
from showdown.models.described import DescribedModel
from showdown.models.usable import refuse_kind
from showdown.planning.power import Size, detectable
from showdown.runner.chats import chats_of
from showdown.runner.device import Devices, devices_here
from showdown.runner.foresee import foresee, quiet
from showdown.runner.preparation import settle
from showdown.start.draft import Draft
from showdown.start.look import Look, LookAt
from showdown.start.of_data import with_columns, with_max_tokens, with_methods, with_rows
from showdown.start.of_machine import fitting
from showdown.start.yaml_text import yaml_text
from showdown.tasks.table import task_named

SECONDS_AN_HOUR = 3600.0
_ENDINGS = (".yaml", ".yml")
_COLUMNS = ("text", "label", "prompt", "answer", "messages")
_CHOICE = {
    CLASSIFICATION: "a folder or a Hugging Face id of an encoder or a language model",
    GENERATION: "a folder or a Hugging Face id of a language model with a chat template",
}
_FINDINGS = 4
"""That are shown; the audit has all."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A comparison to begin with."""

    path: Path
    """Its file, which is written."""
    comparison: Comparison
    text: str
    """What is in the file."""
    lines: tuple[str, ...]
    """What was found and chosen, for a terminal."""


def begin(
    source: str,
    *,
    output: Path | None = None,
    overrides: Sequence[str] = (),
    hours: float = 1.0,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Begun:
    """Choose a comparison for data and machine, and write it into a YAML file.

    Args:
        source: a data file, a Hugging Face dataset id, or the name of a built-in data set.
        output: the file; NAME.yaml here by default.
        overrides: `dotted.key=value` each: what is not to be chosen.
        hours: that the comparison may take on this machine, by what is expected.
        force: whether a file that is there is replaced.
        say: called with a line while it goes on.

    Raises:
        UserError: for data or a model that cannot be used, or a file that is there.

    """
    if not 0.0 < hours < float("inf"):
        raise UserError(f"--hours {hours:g}: give a number above 0")
    if Path(source).suffix in _ENDINGS or is_output(Path(source)):
        raise UserError(f"{source} is a comparison already: `showdown run {shlex.quote(source)}` runs it")
    named = frozenset(words.partition("=")[0] for words in overrides)
    comparison = comparison_for(source, overrides=overrides, say=say)
    path = _file(output or Path(f"{comparison.name}.yaml"), force=force)
    why = {} if "model.id" in named else {"model": f"built in; `--model` names another: {_CHOICE[comparison.task]}"}
    draft, rows = with_rows(with_columns(Draft(comparison=comparison, why=why, named=named)))
    quick = audit_rows(rows, comparison.protocol.split, [])
    audited = [*lines(quick), *findings(quick)[:_FINDINGS]]
    for line in dict.fromkeys(audited):
        say(line)
    model = with_chat_template(comparison.model)
    described = DescribedModel.of(model, weights=False)
    refuse_kind(described.architecture, described.name, task_named(comparison.task))
    draft = with_max_tokens(with_methods(draft, rows, described), rows, described)
    draft, look, without = _fitted(draft, described, hours * SECONDS_AN_HOUR, say)
    draft = _with_reasons(draft, look)
    text = yaml_text(draft, _heading(source, path, look, without))
    write_text(path, text)
    return Begun(path=path, comparison=draft.comparison, text=text, lines=tuple(_summary(draft, path, look, without)))


def _file(path: Path, *, force: bool) -> Path:
    if path.suffix not in _ENDINGS:
        raise UserError(f"--output {path}: name a file that ends in .yaml")
    if path.exists() and not force:
        raise UserError(f"{path} is there already; --force replaces it, or name another file with --output")
    prepare_to_write(path)
    return path


def _fitted(
    draft: Draft, described: DescribedModel, most_seconds: float, say: Callable[[str], None]
) -> tuple[Draft, Look | None, str | None]:
    """Return the draft as it fits this machine, how it would run, and why no forecast could be made, if so."""
    try:
        devices = devices_here(None, None)
    except UserError as error:  # a GPU that was never measured
        return draft, None, str(error)
    say("looking at what fits this machine, and how long it takes ...")
    draft, look = fitting(draft, _look_at(described, devices), most_seconds)
    return draft, look, None


def _look_at(described: DescribedModel, devices: Devices) -> LookAt:
    def look_at(comparison: Comparison) -> Look:
        model = with_chat_template(comparison.model)
        chats = chats_of(comparison, described) if described.tokenizer is not None else None
        ready, prepared = settle(comparison, described, chats, gpu=devices.profile.kind == "gpu")
        with quiet():
            forecast = foresee(ready, prepared, model, described, devices)
        return Look(ready=ready, prepared=prepared, forecast=forecast)

    return look_at


def _with_reasons(draft: Draft, look: Look | None) -> Draft:
    """Return the draft with what its sizes mean: the least difference that it can show."""
    if look is None:
        return draft
    tested = {place for part in look.prepared.partitions for place in part.test}
    groups = len({look.prepared.rows.duplicate_groups[place] for place in tested})
    seeds, rows = draft.comparison.seeds, len(draft.comparison.methods)
    assert isinstance(seeds, list)
    split = draft.comparison.protocol.split
    size = Size(rows=max(2, groups), seeds=len(seeds), folds=split.folds if isinstance(split, KFoldSplit) else 1)
    points = 100 * detectable(size, max(1, rows * (rows - 1) // 2))
    if draft.comparison.task == GENERATION or points >= 100:
        return draft
    said = f"with {count(groups, 'tested text')} differences under about {points:.0f} points will stay open"
    why = "; ".join(filter(None, [draft.why.get("protocol.split"), said]))
    shown = tuple(dict.fromkeys([*draft.shown, "protocol.split"]))
    return replace(draft, shown=shown, why={**draft.why, "protocol.split": why})


def _heading(source: str, path: Path, look: Look | None, without: str | None) -> list[str]:
    where = look.forecast.device.name if look else "this machine"
    told = (
        [line.strip() for line in short_lines(look.forecast)[:1]]
        if look
        else [f"No forecast could be made: {without}. Nothing is left out for memory or time."]
    )
    return [
        f"Written by `showdown init {shlex.quote(source)}` for {where}. Change what you like: every key is in"
        " docs/configuration.md, and `showdown plan` says what a change costs.",
        f"Run it with: showdown run {shlex.quote(str(path))}",
        *(f"{line[0].upper()}{line[1:]}" for line in told),
    ]


def _summary(draft: Draft, path: Path, look: Look | None, without: str | None) -> list[str]:
    values = draft.comparison.model_dump(mode="json")
    chosen = [f"{key}: {why}" for key, why in draft.why.items() if not why.startswith("the columns")]
    columns = [f"{key} `{value}`" for key in _COLUMNS if (value := values["data"][key]) is not None]
    chosen = [*([f"columns: {', '.join(columns)}"] if columns else []), *chosen]
    left_out = [f"{name} is left out: {why}" for name, why in draft.left_out.items()]
    told = short_lines(look.forecast) if look else [f"no forecast: {without}"]
    run = shlex.quote(str(path))
    return [
        *chosen,
        *left_out,
        *told,
        f"written: {path}; `showdown run {run}` runs it, `showdown plan {run}` says more",
    ]
