"""What an exported model must not be taken for: sentences for its card."""

from showdown.core.calibration import calibration_error
from showdown.core.exported import ExportRecord
from showdown.exporting.form import Shipped
from showdown.exporting.source import Source


def limits_of_use(source: Source, record: ExportRecord, shipped: Shipped) -> list[str]:
    """Return the limits of a model, the most important first.

    Args:
        source: the trained model.
        record: what its export scored.
        shipped: what the form wrote.

    """
    run, lines = source.record, []
    if run.allow_leakage:
        lines.append("Copies of training texts are among the test rows: the scores below flatter it")
    lines += [
        f"It was tested on {record.rows:,} rows of the same source as its training rows. On texts of another source, "
        "time or language nothing was measured, and less must be expected",
        _answers(source),
        *_cut(source),
    ]
    if run.convergence and not run.convergence.converged:
        lines.append("Its training ended while the validation loss was still falling")
    lines += [*_confidence(source), *shipped.notes, *record.notes[len(shipped.notes) :]]
    lines.append("Whether it treats groups of people alike was not measured")
    return list(dict.fromkeys(lines))


def _answers(source: Source) -> str:
    if source.job.labels:
        return (
            f"It gives every text one of its {len(source.job.labels)} labels, also a text that fits none of them; "
            "where that can come, leave answers of low confidence to a person"
        )
    return "What it writes may be wrong, and is not checked against anything; it can write what its base could"


def _cut(source: Source) -> list[str]:
    limit = source.description.max_tokens
    if limit is None:
        return []
    what = "Texts are cut" if source.job.labels else "Prompts with their answers were, in training, at most"
    return [f"{what} after {limit} tokens"] if source.job.labels else [f"{what} {limit} tokens long"]


def _confidence(source: Source) -> list[str]:
    found = source.record.confidence
    if found is None:
        return []
    if not found.bins:
        return ["Its scores are no probabilities"]
    error = calibration_error(found.bins)
    return [
        f"Its probabilities were off by {100 * error:.0f} points on average on the test rows (expected calibration "
        "error of the trained model)"
    ]
