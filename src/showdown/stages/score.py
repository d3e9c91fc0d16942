"""The scoring stage of a run: the saved artifact, loaded from the disk, answers the test examples once.

Its process is a fresh one, or one that keeps the pretrained network that runs share (`base_cache.py`).
"""

from pathlib import Path

from showdown.core.events import EventWriter
from showdown.core.examples import Examples
from showdown.core.files import write_json, write_text
from showdown.core.method import TunedMethod
from showdown.core.predictions import digest
from showdown.core.record import Elsewhere
from showdown.core.spec import RunSpec
from showdown.core.task import Probe
from showdown.data.prepare import load_side
from showdown.evaluation.speed import undisturbed_speeds
from showdown.measure.load import LoadMeter
from showdown.measure.memory import memory_of
from showdown.methods.table import build
from showdown.stages.artifact import open_base, open_predictor, predictor_of, write_confidence
from showdown.stages.base_cache import SCORING_NOTE, BaseCache, free_memory
from showdown.stages.context import StageContext, open_context
from showdown.stages.results import ScoreStage
from showdown.stages.shared_scoring import OpenedModel, borrow_base, open_on

BATCH_ROWS = 16
"""Texts that are answered together where answers are scored."""


def score_run(spec: RunSpec, folder: Path, processed: Path, events: EventWriter, kept: BaseCache | None = None) -> None:
    """Score the artifact on validation and test examples; `score.json` is committed last.

    Args:
        spec: the run.
        folder: the run's folder.
        processed: folder of the processed rows.
        events: told what happens.
        kept: where the pretrained network is found and left, in a process that several runs share.

    """
    load = LoadMeter()
    context = open_context(spec, folder, processed, events, fresh=kept is None or not kept.stages)
    test, validation = load_side(processed, "test"), load_side(processed, "validation")
    job = context.job
    found = kept is not None and kept.holds
    with context.phase("reloading"):
        opened = _opened(context, kept)
        predictor = opened.predictor
    with context.phase("prediction"):
        answers = job.task.answer(
            predictor,
            test=test,
            validation=validation,
            labels=job.labels,
            batch_rows=BATCH_ROWS,
            protocol=job.protocol,
        )
    notes = [*predictor.notes(), *([SCORING_NOTE] if found else [])]
    load.read()  # what went on until now counts only where the next phase is too short to tell
    with context.phase("speed"):
        synchronize = memory_of(job.placement.device).synchronize
        speeds, others_share = undisturbed_speeds(predictor, test.texts, synchronize, load.read, answers.timed)
    write_text(folder / "predictions.csv", predictions := answers.predictions_csv())
    measured = answers.measure()
    probe = job.task.probe(predictor, test) if isinstance(build(spec.method, spec.settings), TunedMethod) else None
    del predictor
    if opened.give_back():
        events.say("scoring did not leave the pretrained network as it was; it is loaded again")
    del opened
    if probe is not None:
        measured = measured.model_copy(update={"elsewhere": _against_base(context, probe, test, kept)})
    stage = ScoreStage(
        **vars(measured),
        phases=context.clock.phases(),
        notes=notes,
        predictions_sha256=digest(predictions.encode()),
        predictions_rows=len(test),
        prediction_speeds=speeds,
        speed_others_share=others_share,
    )
    write_confidence(folder / "artifact", stage.confidence)
    write_json(folder / "score.json", stage.model_dump())


def _opened(context: StageContext, kept: BaseCache | None) -> OpenedModel:
    artifact = context.folder / "artifact"
    if kept is not None:
        return open_on(kept, context, artifact)
    predictor = open_predictor(context.spec, context.job.labels, artifact)
    return OpenedModel(predictor=predictor, give_back=lambda: False)


def _against_base(context: StageContext, probe: Probe, test: Examples, kept: BaseCache | None) -> Elsewhere:
    """Compare a trained network, which is gone from memory, with the one that it began with."""
    with context.phase("comparison with the base"):
        network = borrow_base(kept, context) if kept else None
        free_memory()
        base = predictor_of(context.job, network.module) if network else open_base(context.spec, context.job.labels)
        before = context.job.task.probe(base, test)
        assert before is not None
        if kept:
            kept.leave(network)
        return probe.against(before)
