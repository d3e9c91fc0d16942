"""What comes before the first run: the data are read, split and audited, and the model is checked."""

import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext

from showdown.core.errors import UserError
from showdown.core.metric_choice import refuse_unknown_label
from showdown.core.spec import Comparison, ModelSpec
from showdown.core.strict import Strict
from showdown.data.prepare import Prepared, all_intact, prepare, write_prepared
from showdown.measure.system import has_gpu
from showdown.models.described import DescribedModel
from showdown.runner.audit_cache import Inspection
from showdown.runner.auto_settings import settled_effort
from showdown.runner.chats import ChatPreparation, chats_of, refuse_unscored_metric, scorer_digests
from showdown.runner.chosen import with_chosen
from showdown.runner.device import devices_here
from showdown.runner.foreseen import Foreseen
from showdown.runner.plan import plan, refuse_unusable_model
from showdown.runner.prepared import Ready, ready
from showdown.runner.resume import left_of
from showdown.runner.store import Store
from showdown.runner.worker.fork_server import uncompiled

FORECAST_SWITCH = "SHOWDOWN_FORECAST"
"""Environment variable: with `0` no forecast is made before runs, and so none is kept."""


def preparation(
    comparison: Comparison, model: ModelSpec, store: Store, *, rehearsal: bool = False
) -> Generator[Strict]:
    """Prepare a comparison in three steps: a `Ready`, a `Foreseen`, then, with the folder locked, the inspection.

    The first two steps write nothing. The last writes the processed rows and what `Inspection` keeps. The inspection
    goes on beside the forecast. It does not begin earlier: on few cores the first lines would come late.

    Args:
        comparison: what to compare.
        model: its model, pinned, with the content of its chat template.
        store: its folder.
        rehearsal: whether the last step will not be asked for, so that it does not begin.

    Raises:
        UserError: for bad data, a model that cannot be used, a full disk.

    """
    imports = nullcontext if "torch" in sys.modules else uncompiled  # a notebook may compile with them later
    described = DescribedModel.of(model)
    chats = chats_of(comparison, described)
    prepared = _divided(comparison, chats)
    with closing(Inspection(prepared, model, comparison.protocol.max_tokens, store.data_folder, chats)) as inspection:
        comparison, kept = with_chosen(comparison, prepared.fingerprint, model, store)
        found = _settled(comparison, described, prepared, chats, gpu=has_gpu(), kept=kept)
        with imports():
            refuse_unusable_model(plan(found, model), prepared.labels)
        yield found
        if not rehearsal:
            inspection.begin()
        with imports():
            foreseen = _foreseen(found, prepared, model, described, store)
        yield foreseen
        if not all_intact(prepared, store.processed_folder):
            write_prepared(prepared, store.processed_folder)
        inspected = inspection.result()
    yield inspected


def settle(
    comparison: Comparison,
    model: DescribedModel,
    chats: ChatPreparation | None,
    *,
    gpu: bool,
    before: Callable[[Comparison, str], tuple[Comparison, list[str]]] | None = None,
) -> tuple[Ready, Prepared]:
    """Read and divide a comparison's data, and choose a value for every `auto`.

    Args:
        comparison: what to compare.
        model: its model, whose weights need not be there.
        chats: lays out its chats; None for a task without any, or for a plan without a tokenizer.
        gpu: whether it runs on one.
        before: puts what `auto` stood for in the comparison's folder in its place, given the data's fingerprint.

    Returns:
        The comparison without its rows, and the rows.

    Raises:
        UserError: for bad data, or a model that cannot be used.

    """
    prepared = _divided(comparison, chats)
    comparison, kept = before(comparison, prepared.fingerprint) if before else (comparison, [])
    return _settled(comparison, model, prepared, chats, gpu=gpu, kept=kept), prepared


def _divided(comparison: Comparison, chats: ChatPreparation | None) -> Prepared:
    """Read and divide a comparison's data, and refuse a metric that they cannot have."""
    prepared = prepare(comparison.data, comparison.protocol.split, comparison.task, chats.fit if chats else None)
    refuse_unknown_label(comparison.protocol.metric, prepared.labels)
    refuse_unscored_metric(comparison, prepared)
    return prepared


def _settled(
    comparison: Comparison,
    model: DescribedModel,
    prepared: Prepared,
    chats: ChatPreparation | None,
    *,
    gpu: bool,
    kept: Sequence[str] = (),
) -> Ready:
    """Choose a value for every `auto` that is left; `kept` has a line on each of the others."""
    comparison, choices = settled_effort(comparison, model, prepared, gpu=gpu)
    choices = [*kept, *choices]
    if chats is not None:
        comparison, said = chats.settled(comparison, prepared)
        choices = [*choices, *said]
    return ready(comparison, prepared, choices, scorer_digests(comparison, prepared.rows))


def _foreseen(ready: Ready, prepared: Prepared, model: ModelSpec, described: DescribedModel, store: Store) -> Foreseen:
    """Forecast what is left of a comparison, if anything; a forecast that fails does not keep it from running."""
    if os.environ.get(FORECAST_SWITCH) == "0":
        return Foreseen()
    from showdown.runner.foresee import foresee, quiet

    try:
        left = left_of(plan(ready, model), store)
        if not left:
            return Foreseen()
        with quiet():
            devices = devices_here(None, ready.comparison.protocol.price_per_hour, ready.comparison.gpus)
            return Foreseen(forecast=foresee(ready, prepared, model, described, devices, left=left))
    except UserError as error:
        return Foreseen(why=str(error))
    except Exception as error:  # whatever a library meets in a network that it was not tried with
        return Foreseen(why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
