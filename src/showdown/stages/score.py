"""The scoring stage of a run: the saved artifact, loaded in a fresh process, answers the test examples once."""

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
from showdown.stages.artifact import open_base, open_predictor, write_confidence
from showdown.stages.base_cache import free_memory
from showdown.stages.context import StageContext, open_context
from showdown.stages.results import ScoreStage

BATCH_ROWS = 16
"""Texts that are answered together where answers are scored."""


def score_run(spec: RunSpec, folder: Path, processed: Path, events: EventWriter) -> None:
    """Score the artifact on validation and test examples; `score.json` is committed last."""
    load = LoadMeter()
    context = open_context(spec, folder, processed, events)
    test, validation = load_side(processed, "test"), load_side(processed, "validation")
    job = context.job
    with context.phase("reloading"):
        predictor = open_predictor(spec, job.labels, folder / "artifact")
    with context.phase("prediction"):
        answers = job.task.answer(
            predictor,
            test=test,
            validation=validation,
            labels=job.labels,
            batch_rows=BATCH_ROWS,
            protocol=job.protocol,
        )
    notes = predictor.notes()
    load.read()  # what went on until now counts only where the next phase is too short to tell
    with context.phase("speed"):
        synchronize = memory_of(job.placement.device).synchronize
        speeds, others_share = undisturbed_speeds(predictor, test.texts, synchronize, load.read, answers.timed)
    write_text(folder / "predictions.csv", predictions := answers.predictions_csv())
    measured = answers.measure()
    probe = job.task.probe(predictor, test) if isinstance(build(spec.method, spec.settings), TunedMethod) else None
    if probe is not None:
        del predictor
        measured = measured.model_copy(update={"elsewhere": _against_base(context, probe, test)})
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


def _against_base(context: StageContext, probe: Probe, test: Examples) -> Elsewhere:
    """Compare a trained network, which is gone from memory, with the one that it began with."""
    with context.phase("comparison with the base"):
        free_memory()
        before = context.job.task.probe(open_base(context.spec, context.job.labels), test)
        assert before is not None
        return probe.against(before)
