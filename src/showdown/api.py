"""Showdown from Python.

import showdown

results = showdown.run("comparisons/quickstart.yaml", output="out")
for record in results.runs:
    print(record.name, record.accuracy, record.peak_memory_allocated_gb)
print(showdown.predict("out", "lora", ["Eight years of ABAP ..."]))
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.config.read import check, read_comparison
from showdown.core.bounds import requested_data
from showdown.core.errors import UserError, suggestion, then
from showdown.core.notebook import html_list
from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison
from showdown.core.split import SplitSpec
from showdown.runner.store import Store, read_results

if TYPE_CHECKING:
    from showdown.data.rows import Rows
    from showdown.data.split import Partition
    from showdown.report.across.beside import Beside
    from showdown.verdict.cost import Price
    from showdown.verdict.model import Verdict

DEFAULT_METHODS: dict[str, dict[str, Any]] = {
    "majority": {},
    "tfidf": {},
    "zero-shot": {},
    "frozen": {},
    "full": {},
    "lora": {},
    "qlora": {},
}
"""What competes where no comparison file says otherwise."""
_MOST_MARGIN_POINTS = 100.0


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The answer for one text."""

    label: str
    score: float
    """The winning label's score; `score_kind` says what it is."""
    score_kind: str
    confidence: float
    """How sure the model is: the score where that is a probability, else its lead over the second best."""
    sure: bool = True
    """False where the confidence is below the threshold of the coverage that was asked for: ask a person."""


def comparison_for(target: str | None, *, overrides: Sequence[str] = ()) -> Comparison:
    """Return the comparison that a target means.

    Args:
        target: a YAML file, or else a data file, dataset id or `resumes`, which every default method then runs on.
        overrides: `dotted.key=value` each.

    Raises:
        UserError: for anything wrong in it.

    """
    if target is not None and Path(target).suffix in (".yaml", ".yml"):
        return read_comparison(Path(target), base={}, overrides=overrides)
    base: dict[str, Any] = {"methods": DEFAULT_METHODS}
    if target is not None:
        base |= {"data": {"source": target}, "name": _name_of(target)}
    return read_comparison(None, base=base, overrides=overrides)


def _name_of(source: str) -> str:
    """Return a name for a comparison of this data; one that loses letters by it ends with a digest of them all."""
    stem = Path(source).stem
    kept = "".join(character if character.isascii() and character.isalnum() else "-" for character in stem)
    name = kept.lower().strip("-")[:64]
    if any(character.isalnum() and not character.isascii() for character in stem) or not name:
        digest = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return "-".join(filter(None, (name[:55].strip("-") or "comparison", digest)))
    return name


def default_output(comparison: Comparison) -> Path:
    """Return where a comparison goes when nobody says."""
    return Path("showdown-out") / comparison.name


def run(
    comparison: Comparison | Mapping[str, Any] | Path | str,
    *,
    output: Path | str | None = None,
    overrides: Sequence[str] = (),
    display: Any = None,
) -> Results:
    """Run what is left of a comparison, and return its results.

    Args:
        comparison: a comparison, its mapping, its YAML file, or a data file.
        output: its folder; `showdown-out/NAME` by default.
        overrides: `dotted.key=value` each, for a file.
        display: a `showdown.display.display.Display`; silent by default.

    Raises:
        UserError: for bad input, with the place and the mend.

    """
    from showdown.display.display import Silent
    from showdown.runner.execute import execute
    from showdown.trackers.tracked import Tracked

    if isinstance(comparison, Mapping):
        asked = check(comparison, "the comparison")
    elif isinstance(comparison, Comparison):
        asked = comparison
    else:
        asked = comparison_for(str(comparison), overrides=overrides)
    if output is not None and not str(output).strip():
        raise UserError("the output folder has no name; name one, or leave it out for showdown-out/NAME")
    folder, shown = Path(output) if output else default_output(asked), display or Silent()
    if not asked.trackers:
        return execute(asked, folder, shown)
    tracked = Tracked(shown, asked.trackers, folder, asked.name)
    results = execute(asked, folder, tracked)
    tracked.complete(results)
    return results


@dataclass(frozen=True, kw_only=True)
class Audited:
    """What is to know about a comparison's data before anything is trained."""

    lines: tuple[str, ...]
    """For a terminal, a line each."""
    findings: tuple[str, ...]
    """What is wrong with the data, a line each; empty for clean data."""
    facts: dict[str, Any]
    """The same for machines: JSON-able, row numbers and labels, no text."""
    listed_rows: int
    """Rows in the listing."""

    def __repr__(self) -> str:
        """Return the lines; all of it is in the fields."""
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return html_list("Audit", self.lines)


def audit(comparison: Comparison, *, listing: Path | None = None) -> Audited:
    """Audit a comparison's data: copies, leaks, rows to look at first, lengths, rare labels.

    Args:
        comparison: whose data, split and model's tokenizer are used.
        listing: a CSV to write, one line a row and finding.

    Raises:
        UserError: for data that cannot be read.

    """
    from showdown.core.files import prepare_to_write
    from showdown.data.audit import audit_rows, findings, lines
    from showdown.data.divide import divide
    from showdown.data.gather import gather
    from showdown.data.inspection import deep_audit, deep_findings, deep_lines
    from showdown.data.listing import write_listing
    from showdown.data.split import Partition
    from showdown.models.source import locate
    from showdown.models.tokens import count_tokens, load_tokenizer

    if listing:
        prepare_to_write(listing)
    rows = gather(comparison.data, comparison.protocol.split.seed)
    partitions: list[Partition] = []
    unsplittable: list[str] = []
    try:
        partitions = divide(rows, comparison.data, comparison.protocol.split)
    except UserError as error:
        unsplittable = [str(error)]
        partitions = _as_given(rows, comparison.protocol.split)
    quick = audit_rows(rows, comparison.protocol.split, partitions, allow_leakage=comparison.data.allow_leakage)
    tokenizer = load_tokenizer(locate(comparison.model))
    deep = deep_audit(
        rows,
        partitions,
        count_tokens=lambda texts: count_tokens(tokenizer, texts),
        max_tokens=comparison.protocol.max_tokens,
    )
    return Audited(
        lines=(*rows.notices, *lines(quick), *unsplittable, *deep_lines(deep)),
        findings=(*findings(quick), *unsplittable, *deep_findings(deep)),
        facts={"audit": quick.model_dump(mode="json"), "inspection": deep.model_dump(mode="json")},
        listed_rows=write_listing(listing, rows, quick, deep, partitions) if listing else 0,
    )


def _as_given(rows: "Rows", split: SplitSpec) -> "list[Partition]":
    """Return the given files' sides for their audit, copies across them and all; none where no files are given."""
    from showdown.data.divide import given

    if not {"train", "test"} <= set(rows.sides):
        return []
    try:
        return [given(rows, split, allow_leakage=True)]
    except UserError:
        return []


def load(output: Path | str) -> Results:
    """Read the results of a comparison's folder.

    Raises:
        UserError: when it holds none.

    """
    return read_results(Path(output))


def judge(
    output: Path | str,
    *,
    limits: Mapping[str, float | None] | None = None,
    margin_points: float | None = None,
    metric: str | None = None,
    price_per_hour: float | None = None,
    price_per_kwh: float | None = None,
) -> "Verdict":
    """Judge a comparison: intervals, tests, which differences were shown, and which method to take under limits.

    Args:
        output: the comparison's folder.
        limits: `max_memory_gb`, `max_cost`, `min_f1_macro`, `max_latency_ms`, `max_train_seconds`; none by default.
        margin_points: how many points of the metric a method may be worse and still do as well; by default what the
            comparison says, 1 where it says nothing.
        metric: what methods are ranked, tested and recommended by, as `protocol.metric` has it: `mcc`, `f1:LABEL`; by
            default what the comparison says.
        price_per_hour: what an hour of your device costs; an example price otherwise.
        price_per_kwh: what its energy costs on top of the hours, where it could be read.

    Raises:
        UserError: for a limit, margin, metric or price that cannot be, or a folder without results.

    """
    from pydantic import ValidationError

    from showdown.verdict.recommend import Limits
    from showdown.verdict.summary import judge as judge_results

    try:
        asked = Limits.model_validate(limits or {})
    except ValidationError as error:
        fault = error.errors()[0]
        raise UserError(f"limit `{fault['loc'][-1]}`: {fault['msg']} (given: {fault['input']})") from error
    if margin_points is not None and not 0.0 < margin_points <= _MOST_MARGIN_POINTS:
        raise UserError(f"`margin_points` is over 0 and at most {_MOST_MARGIN_POINTS:g} (given: {margin_points:g})")
    price = _own_price(price_per_hour, price_per_kwh)
    return judge_results(
        load(output), Path(output), limits=asked, price=price, margin_points=margin_points, metric=metric
    )


def _own_price(price_per_hour: float | None, price_per_kwh: float | None) -> "Price | None":
    from showdown.verdict.cost import own_price

    for key, value in (("price_per_hour", price_per_hour), ("price_per_kwh", price_per_kwh)):
        if value is not None and not (0.0 <= value < float("inf")):
            raise UserError(f"`{key}` is 0 or more (given: {value:g})")
    if price_per_hour is None:
        if price_per_kwh is not None:
            raise UserError(
                "--price-per-kwh needs --price-per-hour, 0 for a machine of your own: example prices of hours are of "
                "rented machines, and hold the energy"
            )
        return None
    return own_price(price_per_hour, price_per_kwh or 0.0)


def write_reports(
    *outputs: Path | str,
    formats: Sequence[str] | None = None,
    folder: Path | str | None = None,
    margin_points: float | None = None,
    metric: str | None = None,
    price_per_hour: float | None = None,
    price_per_kwh: float | None = None,
) -> list[Path]:
    """Write the report of a comparison into its folder, or one of several comparisons beside each other.

    Args:
        outputs: the comparisons' folders.
        formats: names of formats; for one comparison HTML, Markdown, PDF and figures by default.
        folder: where a report of several goes; by default beside the first of them.
        margin_points: as in `judge`.
        metric: as in `judge`.
        price_per_hour: what an hour of your device costs; an example price otherwise.
        price_per_kwh: what its energy costs on top of the hours, where it could be read.

    Returns:
        The files written.

    Raises:
        UserError: for an unknown format, a folder without results, or a library that is missing.

    """
    if len(outputs) > 1:
        from showdown.report.across import formats as several

        asked = _known(formats or list(several.FORMATS), several.FORMATS)
        found = beside(
            *outputs,
            margin_points=margin_points,
            metric=metric,
            price_per_hour=price_per_hour,
            price_per_kwh=price_per_kwh,
        )
        return several.write_beside(found, Path(folder) if folder else _beside_first(outputs), asked)
    from showdown.report.formats import DEFAULT_FORMATS, FORMATS, write_report

    asked = _known(formats or DEFAULT_FORMATS, FORMATS)
    (output,) = map(Path, outputs)
    verdict = judge(
        output, margin_points=margin_points, metric=metric, price_per_hour=price_per_hour, price_per_kwh=price_per_kwh
    )
    results = load(output)
    return [write_report(form, results, verdict, output) for form in asked]


def beside(
    *outputs: Path | str,
    margin_points: float | None = None,
    metric: str | None = None,
    price_per_hour: float | None = None,
    price_per_kwh: float | None = None,
) -> "Beside":
    """Lay comparisons beside each other: one table, what differs, and what may be said of the differences.

    Raises:
        UserError: for a folder without results.

    """
    from showdown.report.across.beside import called, lay_beside
    from showdown.verdict.across import Judged

    folders = [Path(output) for output in outputs]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("the same folder is given twice; give different comparisons")
    judged = [
        Judged(
            results=load(folder),
            verdict=judge(
                folder,
                margin_points=margin_points,
                metric=metric,
                price_per_hour=price_per_hour,
                price_per_kwh=price_per_kwh,
            ),
            folder=folder,
        )
        for folder in folders
    ]
    return lay_beside(dict(zip(called(folders, [item.results for item in judged]), judged, strict=True)))


def _known(asked: Sequence[str], formats: Mapping[str, Any]) -> Sequence[str]:
    for form in asked:
        if form not in formats:
            known = then(suggestion(form, formats), f"the formats are {', '.join(formats)}")
            raise UserError(f"--format {form}: unknown{known}")
    return asked


def _beside_first(outputs: Sequence[Path | str]) -> Path:
    folders = [Path(output).resolve() for output in outputs]
    return folders[0].parent / "-beside-".join(folder.name for folder in folders)


def sync(output: Path | str) -> Iterator[tuple[str, str]]:
    """Send what trackers wrote to where each tool's own settings say; yields its name and what was done.

    Raises:
        UserError: when nothing was tracked, or a server cannot be reached.

    """
    from showdown.trackers.upload import upload

    return upload(Path(output), load(output).name)


def predict(output: Path | str, row: str, texts: Sequence[str], *, coverage: float | None = None) -> list[Prediction]:
    """Answer texts with a saved model of a comparison.

    Args:
        output: the comparison's folder.
        row: name of the table's row.
        texts: what to classify; cleaned here as the comparison's rows were.
        coverage: which share of texts like the comparison's to be `sure` of; by default all. The threshold is the one
            that lets this share of the validation rows through.

    Raises:
        UserError: when the row or its model is not there, a text is empty, or no threshold is kept for the coverage.

    """
    from showdown.data.clean import clean
    from showdown.predict.threshold import confidences, threshold_of
    from showdown.stages.artifact import open_saved, saved_scores

    results = load(output)
    record = _kept_run(results, Path(output), row)
    threshold = threshold_of(record, coverage)
    classifier = open_saved(record, Store(Path(output)).run_folder(record.run_id))
    kind = requested_data(results.comparison).clean
    cleaned = [clean(text, kind) for text in texts]
    for number, text in enumerate(cleaned, start=1):
        if not text.strip():
            raise UserError(f"text {number} of {len(texts)} is empty (cleaned with `{kind}`); give a text with words")
    if not texts:
        return []
    scores = saved_scores(classifier, record, cleaned)
    return [
        Prediction(
            label=record.labels[int(line.argmax())],
            score=float(line.max()),
            score_kind=classifier.score_kind,
            confidence=confidence,
            sure=confidence >= threshold,
        )
        for line, confidence in zip(scores, confidences(scores, classifier.score_kind), strict=True)
    ]


def _kept_run(results: Results, output: Path, row: str) -> RunRecord:
    names = list(dict.fromkeys(run.name for run in results.runs))
    if row not in names:
        raise UserError(f"no row `{row}` in {output}{then(suggestion(row, names), 'it has ' + ', '.join(names))}")
    store = Store(output)
    kept = [
        run
        for run in results.full_size.runs
        if run.name == row and run.status == "completed" and (store.run_folder(run.run_id) / "artifact").is_dir()
    ]
    if not kept:
        states = ", ".join(sorted({run.status for run in results.runs if run.name == row}))
        raise UserError(
            f"no saved model of `{row}` in {output} (its runs: {states}); run the comparison with `keep_models: best`"
        )
    return max(kept, key=lambda run: run.validation_f1_macro or 0.0)
