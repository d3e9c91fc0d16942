"""The scoring stage of a run: the saved artifact, loaded in a fresh process, answers the test examples once."""

from pathlib import Path

from showdown.core.events import EventWriter
from showdown.core.files import write_json, write_text
from showdown.core.predictions import digest
from showdown.core.spec import RunSpec
from showdown.data.prepare import load_side
from showdown.evaluation.speed import undisturbed_speeds
from showdown.measure.load import LoadMeter
from showdown.measure.memory import memory_of
from showdown.stages.artifact import open_predictor, write_confidence
from showdown.stages.context import open_context
from showdown.stages.results import ScoreStage

_BATCH_ROWS = 16


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
            batch_rows=_BATCH_ROWS,
            protocol=job.protocol,
        )
    notes = predictor.notes()
    load.read()  # what went on until now counts only where the next phase is too short to tell
    with context.phase("speed"):
        synchronize = memory_of(job.placement.device).synchronize
        speeds, others_share = undisturbed_speeds(predictor, test.texts, synchronize, load.read)
    write_text(folder / "predictions.csv", predictions := answers.predictions_csv())
    stage = ScoreStage(
        **vars(answers.measure()),
        phases=context.clock.phases(),
        notes=notes,
        predictions_sha256=digest(predictions.encode()),
        predictions_rows=len(test),
        prediction_speeds=speeds,
        speed_others_share=others_share,
    )
    write_confidence(folder / "artifact", stage.confidence)
    write_json(folder / "score.json", stage.model_dump())
