"""The model card of an export: metadata of the Hugging Face hub with its scores, and what a reader must know."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from showdown.core.exported import ExportRecord, ScoreRange
from showdown.core.files import read_file
from showdown.core.own_metric import metric_with
from showdown.data.read import ENDINGS
from showdown.exporting.form import Shipped
from showdown.exporting.limits import limits_of_use
from showdown.exporting.source import Source
from showdown.models.built_in import licence_of, quantised_before
from showdown.models.companions import CARD
from showdown.models.source import public_name
from showdown.report.columns import INTERVAL
from showdown.report.exports import exports_table
from showdown.report.facts import audited
from showdown.report.markdown_text import escaped, grid

_HUB_METRIC = {"f1_macro": "f1", "mcc": "matthews_correlation", "rouge_l": "rouge", "token_loss": "loss"}
"""What the hub calls a metric, where it has another name for it."""
_RELATION = {"peft": "adapter", "transformers": "finetune"}
"""How a model stands to its base, as the hub's metadata say it, by the library that opens it."""


_MOST_BYTES = 1_000_000


def card(source: Source, record: ExportRecord, shipped: Shipped) -> str:
    """Return the card as Markdown.

    Args:
        source: the trained model.
        record: what its export scored.
        shipped: what the form wrote.

    """
    from huggingface_hub import ModelCard

    made = ModelCard.from_template(
        _metadata(source, record, shipped),
        template_str=resources.files(__package__).joinpath("card.md.j2").read_text(encoding="utf-8"),
        title=escaped(f"{record.title} of {source.results.name}: {record.form_title}"),
        summary=_summary(source),
        details=_details(source, record),
        before_use=_before_use(source),
        code=shipped.code,
        limits=[escaped(line) for line in limits_of_use(source, record, shipped)],
        training=[(key, escaped(value)) for key, value in _training(source)],
        audited=[escaped(line) for line in audited(source.results)] or ["nothing was recorded"],
        evaluated=_evaluated(source, record),
        scores=_scores(source, record),
        compared=_compared(source, record),
        reading=[escaped(line) for line in exports_table(source.results, [record]).notes],
        places=[escaped(line) for line in _places(source, record)],
    )
    return _squeezed(str(made))


def _metadata(source: Source, record: ExportRecord, shipped: Shipped) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    task, name = source.job.task, f"{source.results.name}-{record.key}"
    results = [
        EvalResult(
            task_type=task.pipeline_tag,
            dataset_type=_data_name(source),
            dataset_name=_data_name(source),
            dataset_split="test",
            dataset_revision=source.results.data.get("fingerprint"),
            metric_type=_HUB_METRIC.get(key, key),
            metric_name=_title(source, key),
            metric_value=round(found.value, 6),
            metric_args=None if found.low is None else {"interval_95": [found.low, found.high]},
        )
        for key, found in record.scores.items()
    ]
    base = None if source.spec.needs == "text" else public_name(source.job.model)
    return ModelCardData(
        license=_licence(source),
        base_model=base,
        base_model_relation=_RELATION.get(shipped.library) if base else None,
        library_name=shipped.library,
        pipeline_tag=task.pipeline_tag,
        tags=["finetuning-showdown", source.spec.method],
        model_name=name,
        eval_results=results,
    )


def _licence(source: Source) -> str | None:
    """Return the licence of the base, as the hub abbreviates it; None where it is not known here."""
    if source.spec.needs == "text":
        return None
    return licence_of(source.job.model) or written_licence(Path(source.job.model.id) / CARD)


def written_licence(path: Path) -> str | None:
    """Return the licence that the card of a local model names; None where it names none."""
    from huggingface_hub import ModelCard

    try:
        metadata: Any = ModelCard(read_file(path, most_bytes=_MOST_BYTES).decode("utf-8")).data
    except Exception:  # the card may hold anything
        return None
    found = getattr(metadata, "license", None)
    return found if isinstance(found, str) else None


def _title(source: Source, key: str) -> str:
    return metric_with(key, source.results.own_score).title


def _data_name(source: Source) -> str:
    """Return what the data are called, without the folder that they were in."""
    data = source.data
    named = [path for path in (data.files or {}).values() if path] or [data.source or source.results.name]
    return ", ".join(Path(one).name if one.lower().endswith(ENDINGS) else one for one in named)


def _summary(source: Source) -> str:
    method = source.method
    return f"{method.summary[:1].upper()}{method.summary[1:]}. Trained and compared with other methods by Showdown."


def _details(source: Source, record: ExportRecord) -> list[tuple[str, str]]:
    model, task = source.job.model, source.job.task
    facts = [("Task", task.name), ("Method", f"{record.title} (`{source.spec.method}`)"), ("Form", record.form_title)]
    if source.spec.needs != "text":
        revision = f", revision `{escaped(model.revision)}`" if model.revision else ""
        before = quantised_before(model)
        rounded = f"; trained from a copy whose weights had been rounded to {before}" if before else ""
        facts.append(("Base", f"`{escaped(public_name(model))}`{revision}{rounded}"))
        licence = _licence(source)
        facts.append(("Licence of the base", licence or "not known here: look at the base's own card before you share"))
    if source.job.labels:
        facts.append(("Labels", ", ".join(escaped(label) for label in source.job.labels)))
    return [*facts, ("Size", f"{record.speed.size_mb:.1f} MB")]


def _before_use(source: Source) -> str:
    """Return what must be known before the code is run."""
    cleaned = {
        "none": "",
        "whitespace": "Each run of white space in a text was one space in training, without any at the ends.",
        "study": "Texts were cleaned before training as the original study cleaned them "
        "(`showdown.data.clean`, `study`); `showdown predict` does so.",
    }[source.data.clean]
    return cleaned if source.job.labels else ""


def _training(source: Source) -> list[tuple[str, str]]:
    record, protocol = source.record, source.spec.protocol
    rows = [
        ("Data", f"{_data_name(source)} (fingerprint {source.results.data.get('fingerprint')})"),
        ("Training rows", "unknown" if record.train_rows is None else f"{record.train_rows:,}"),
        ("Split", f"{protocol.split.kind}, number {record.partition}, seed {protocol.split.seed}"),
        ("Seed", str(record.seed)),
    ]
    if record.convergence:
        end = record.convergence
        rows.append(("Epochs", f"{end.epochs}, of which number {end.best_epoch} was kept"))
    rate = record.chosen.get("learning_rate")
    rows += [("Learning rate", f"{rate:g}")] if rate else []
    settings = {key: value for key, value in source.spec.settings.items() if value is not None}
    return [*rows, *(("Settings", f"{key}: {value}") for key, value in settings.items())]


def _evaluated(source: Source, record: ExportRecord) -> str:
    return escaped(
        f"The exported files themselves answered the {record.rows:,} test rows of the split, which no training and no "
        "choice had seen; copies of training texts are "
        + ("not kept out of them." if source.record.allow_leakage else "kept out of them.")
    )


def _scores(source: Source, record: ExportRecord) -> str:
    first = sorted(record.scores.items(), key=lambda one: one[0] != record.metric)
    return grid(["Score", "Value", INTERVAL], [_score(source, key, found) for key, found in first])


def _score(source: Source, key: str, found: ScoreRange) -> list[str]:
    metric = metric_with(key, source.results.own_score)
    ends = "-" if found.low is None or found.high is None else metric.short_ends(found.low, found.high)
    return [metric.heading, metric.cell(found.value), ends]


def _compared(source: Source, record: ExportRecord) -> str:
    table = exports_table(source.results, [record])
    return grid(table.headings, table.rows, left=table.words)


def _places(source: Source, record: ExportRecord) -> Sequence[str]:
    trained = source.record.environment
    lines = [f"Exported and timed on {record.device}"]
    lines += [f"Trained on {trained.gpu or trained.cpu}, commit {trained.commit or 'unknown'}"] if trained else []
    return [*lines, ", ".join(f"{name} {version}" for name, version in record.versions.items())]


def _squeezed(text: str) -> str:
    """Return Markdown without runs of empty lines."""
    lines: list[str] = []
    for line in text.rstrip().split("\n"):
        if line.strip() or (lines and lines[-1].strip()):
            lines.append(line.rstrip())
    return "\n".join(lines) + "\n"
