"""An exported form on the test rows of its run: scored, timed, and compared with the trained model as arms are."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from showdown.core.exported import EXPORTS_FOLDER, PREDICTIONS_FILE, ExportRecord, ScoreRange, Speed, export_key
from showdown.core.metric import CLASSIFICATION
from showdown.core.predictions import checked_content, digest
from showdown.core.predictor import Predictor
from showdown.core.record import PredictionSpeed, Results
from showdown.core.task import Answers, MeasuredScores
from showdown.evaluation.speed import undisturbed_speeds
from showdown.exporting.form import Form, Shipped
from showdown.exporting.source import Source
from showdown.measure.environment import environment
from showdown.measure.load import LoadMeter
from showdown.measure.memory import memory_of
from showdown.stages.score import BATCH_ROWS
from showdown.verdict.model import ArmVerdict, Verdict
from showdown.verdict.summary import judge

_TRAINED, _EXPORTED = "trained", "exported"
_MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Timed:
    """How fast a model answered the test texts."""

    speeds: list[PredictionSpeed]
    """One text at a time, and the best batch."""
    others_share: float | None

    def speed(self, size_mb: float) -> Speed:
        """Return it with the model's size."""
        single, best = self.speeds
        return Speed(
            size_mb=size_mb,
            latency_p50_ms=single.latency_p50_ms,
            latency_p95_ms=single.latency_p95_ms,
            rows_per_second=best.rows_per_second,
        )


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What an exported form answered."""

    measured: MeasuredScores
    predictions: str
    """As the predictions file of a run has them."""
    timed: Timed


def timed(source: Source, predictor: Predictor, answers: Answers | None = None) -> Timed:
    """Time a model on the test texts.

    Args:
        source: whose test texts.
        predictor: what answers.
        answers: told of every call whose time counts.

    """
    load = LoadMeter()
    synchronize = memory_of(source.job.placement.device).synchronize
    texts = source.side("test").texts
    told = (answers.timed,) if answers else ()
    speeds, share = undisturbed_speeds(predictor, texts, synchronize, load.read, *told)
    return Timed(speeds=speeds, others_share=share)


def answered(source: Source, predictor: Predictor) -> Answered:
    """Have a form answer the validation and test rows, as the stage that scores runs does."""
    job = source.job
    answers = job.task.answer(
        predictor,
        test=source.side("test"),
        validation=source.side("validation"),
        labels=job.labels,
        batch_rows=BATCH_ROWS,
        protocol=job.protocol,
    )
    speed = timed(source, predictor, answers)
    return Answered(measured=answers.measure(), predictions=answers.predictions_csv(), timed=speed)


def compared(
    source: Source, name: str, form: Form, *, shipped: Shipped, found: Answered, trained: Timed, folder: Path
) -> ExportRecord:
    """Compare an export, whose predictions file is written, with the trained model.

    Both are judged as two arms of a comparison are: by its metric, with the same intervals and the same test.

    Args:
        source: the trained model.
        name: of the form.
        form: the form.
        shipped: what it wrote.
        found: what it answered.
        trained: how fast the trained model is here.
        folder: the exported files.

    """
    verdict = judge(_as_arms(source, name, found), source.output)
    before, after = (_arm(verdict, one) for one in (_TRAINED, _EXPORTED))
    (pair,) = verdict.pairs
    environment_here = environment(source.job.placement.device)
    shares = [one.others_share for one in (trained, found.timed) if one.others_share is not None]
    return ExportRecord(
        arm=source.record.name,
        title=source.record.title,
        form=name,
        form_title=form.title,
        run_id=source.record.run_id,
        metric=verdict.metric,
        rows=pair.rows,
        score=_range(after),
        trained_score=_range(before),
        scores=_all_scores(after, verdict.metric),
        lost=pair.first_only if pair.first == _TRAINED else pair.second_only,
        won=pair.second_only if pair.first == _TRAINED else pair.first_only,
        changed=changed_answers(source, found.predictions),
        mcnemar_p=pair.mcnemar_p,
        speed=found.timed.speed(round(size_bytes(folder) / _MB, 3)),
        trained_speed=trained.speed(source.record.model_size_mb or 0.0),
        speed_others_share=max(shares, default=None),
        device=environment_here.gpu or environment_here.cpu,
        most_logit_difference=shipped.most_logit_difference,
        compared_rows=shipped.compared_rows,
        predictions_sha256=digest(found.predictions.encode()),
        versions=environment_here.versions,
        notes=[*shipped.notes, *_elsewhere(source)],
    )


def _as_arms(source: Source, name: str, found: Answered) -> Results:
    """Return a comparison of two arms: the trained model, and the same run with what its export answered."""
    record = source.record
    file = f"{EXPORTS_FOLDER}/{export_key(record.name, name)}/{PREDICTIONS_FILE}"
    changes = {
        "name": _EXPORTED,
        "predictions_file": file,
        "predictions_sha256": digest(found.predictions.encode()),
        **_scores(found.measured),
    }
    runs = [record.model_copy(update={"name": _TRAINED}), record.model_copy(update=changes)]
    return source.results.model_copy(update={"runs": runs})


def _scores(measured: MeasuredScores) -> dict[str, object]:
    if measured.scores is None:
        return {"scores": measured.written_scores, "writing": measured.writing}
    return dict(measured.scores)


def _arm(verdict: Verdict, name: str) -> ArmVerdict:
    return next(row for row in verdict.rows if row.name == name)


def _range(row: ArmVerdict) -> ScoreRange:
    assert row.score is not None
    return ScoreRange(value=row.score.value, low=row.score.low, high=row.score.high)


def _all_scores(row: ArmVerdict, metric: str) -> dict[str, ScoreRange]:
    """Return every metric of an arm, with an interval where the verdict has one."""
    found = {key: ScoreRange(value=value, low=None, high=None) for key, value in row.scores.items()}
    for key, one in (("accuracy", row.accuracy), ("f1_macro", row.f1_macro)):
        if one is not None:
            found[key] = ScoreRange(value=one.value, low=one.low, high=one.high)
    return {**found, metric: _range(row)}


def changed_answers(source: Source, predictions: str) -> int:
    """Count the test rows whose answer, right or wrong, is not that of the trained model."""
    before = checked_content(source.output, source.record).decode("utf-8")
    return sum(one != other for one, other in zip(_answers(source, before), _answers(source, predictions), strict=True))


def _answers(source: Source, predictions: str) -> list[tuple[int, str]]:
    column = "predicted" if source.job.task.name == CLASSIFICATION else "answer"
    reader = csv.DictReader(io.StringIO(predictions, newline=""))
    return sorted((int(line["row"]), line[column]) for line in reader)


def size_bytes(folder: Path) -> int:
    """Return the size of a form's files, without tokenizer, label names and card."""
    from showdown.models.companions import is_companion

    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not is_companion(path))


def _elsewhere(source: Source) -> list[str]:
    """Return that the trained model answered on another kind of device, where it did."""
    was = source.record.environment
    on_gpu = source.job.placement.device != "cpu"
    if was is None or (was.gpu is not None) == on_gpu:
        return []
    there, here = ("a GPU", "a CPU") if was.gpu else ("a CPU", "a GPU")
    return [f"The trained model answered the test rows on {there}, the export on {here}: some flips may come of that"]
