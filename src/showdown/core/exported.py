"""What is kept of a model that was exported in some form: one record a form, beside the comparison that trained it.

OUT/exports/ARM-FORM/record.json       the record, written last
                     predictions.csv   what the exported files answered to the test rows
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from showdown.core.bounds import Amount, Count, RunId, Sha256
from showdown.core.files import read_file
from showdown.core.record import Results
from showdown.core.spec import RunName
from showdown.core.strict import Strict

EXPORTS_FOLDER, RECORD_FILE, PREDICTIONS_FILE = "exports", "record.json", "predictions.csv"
_MOST_BYTES = 1_000_000


class ScoreRange(Strict):
    """A score on the test rows, with its two-sided 95 % interval where one is valid."""

    value: float
    low: float | None
    high: float | None


class Speed(Strict):
    """How fast a model answers, and how large it is on the disk."""

    size_mb: Amount
    """Its weights and configuration, in MB of 1e6 bytes; the pretrained model is counted where it is in the files."""
    latency_p50_ms: Amount
    """Of one text."""
    latency_p95_ms: Amount
    rows_per_second: Amount
    """At the best batch."""


class ExportRecord(Strict):
    """One exported form of one trained model, scored on the test rows of its run."""

    schema_version: Literal[1] = 1
    arm: RunName
    title: str
    """Of the arm's method."""
    form: RunName
    form_title: str
    run_id: RunId
    """The run whose model was exported."""
    metric: str
    """Key of the metric that both scores are of."""
    rows: Count
    """Test rows."""
    score: ScoreRange
    trained_score: ScoreRange
    """Of the trained model, as its run scored it."""
    scores: dict[str, ScoreRange] = Field(default_factory=dict)
    """Every metric of the export by its key, this one among them."""
    lost: float
    """Test rows that the trained model answers rightly and the export wrongly; where answers are written, on which the
    trained model's scores better."""
    won: float
    """The same the other way round."""
    changed: Count
    """Test rows with another answer, whether right or wrong."""
    mcnemar_p: float | None
    """Exact McNemar test of the two; None where answers are written."""
    speed: Speed
    trained_speed: Speed
    """Of the trained model, measured on the same machine in the same call."""
    speed_others_share: float | None
    """Share of the processors that other processes used meanwhile, the larger of both measurements, 0 to 1."""
    device: str
    """What both were measured on."""
    most_logit_difference: float | None = None
    """Largest absolute difference of a logit between the form and torch; None where the form has no graph of its
    own."""
    compared_rows: Count = 0
    """Texts that this difference is taken over."""
    predictions_sha256: Sha256
    versions: dict[str, str]
    notes: list[str] = Field(default_factory=list)

    @property
    def key(self) -> str:
        """The name of its folder."""
        return export_key(self.arm, self.form)


def export_key(arm: str, form: str) -> str:
    """Return the name of the folder of an export's record."""
    return f"{arm}-{form}"


def read_exports(results: Results, folder: Path) -> list[ExportRecord]:
    """Return the records of a comparison's exports, in the order of its arms.

    A record of a run that the comparison no longer has is left out, and so is one that cannot be read.

    Args:
        results: the comparison.
        folder: its folder, which may come from elsewhere.

    """
    arms = list(dict.fromkeys(run.name for run in results.runs))
    known = {run.run_id for run in results.runs}
    found = []
    for path in sorted((folder / EXPORTS_FOLDER).glob(f"*/{RECORD_FILE}")):
        try:
            record = ExportRecord.model_validate_json(read_file(path, most_bytes=_MOST_BYTES))
        except (OSError, ValidationError):
            continue
        if record.run_id in known and record.arm in arms:
            found.append(record)
    return sorted(found, key=lambda one: (arms.index(one.arm), one.form))
