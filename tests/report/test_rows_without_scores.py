"""A row that failed, did not fit or cannot be had here stays, with its reason, in every format."""

import csv
import io
import shutil
from pathlib import Path

import pytest
from pyarrow import parquet
from rich.console import Console
from test_latex import PREAMBLE, compiled, needs_tex
from test_pdf import Pages
from written_comparison import METHODS, write_comparison

from showdown.core.record import Results
from showdown.report.formats import write_report
from showdown.report.terminal import print_table
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

REASONS = {
    "out-of-memory": "CUDA out of memory, 9 GB asked for",
    "failed": "ValueError: no such layer",
    "unavailable": "needs a GPU with bfloat16",
}
"""By status."""
ROWS = dict(zip(("full", "lora", "qlora"), REASONS, strict=True))
Made = tuple[Results, Verdict, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("failed") / "out"
    written = write_comparison(folder, failed=dict.fromkeys(ROWS, ""))
    runs = [
        run.model_copy(update={"status": ROWS[run.name], "error": REASONS[ROWS[run.name]]}) if run.name in ROWS else run
        for run in written.runs
    ]
    results = written.model_copy(update={"runs": runs})
    return results, judge(results, folder), folder


def lines_of(text: str) -> list[str]:
    return ["".join(line.replace("\\", "").split()) for line in text.splitlines()]


@pytest.mark.parametrize("form", ["html", "markdown", "latex"])
def test_text_formats_say_the_status_in_the_row_and_the_reason(form: str, made: Made) -> None:
    text = write_report(form, *made).read_text(encoding="utf-8")
    for row, status in ROWS.items():
        (title,) = {run.title for run in made[0].runs if run.name == row}
        if form == "html":
            line = text[text.index(f">{title}") :]
            assert f"{status}: {REASONS[status]}" in line[: line.index("</tr>")]
            continue
        (line,) = [line for line in lines_of(text) if line.strip("|").startswith("".join(title.split()))][:1]
        assert status in line
        assert form == "latex" or REASONS[status] in text.replace("\\", "")


@pytest.mark.usefixtures("without_figures")
def test_the_pdf_says_both(made: Made) -> None:
    pages = Pages(write_report("pdf", *made))
    for status, reason in REASONS.items():
        assert status in pages
        assert f"{status}: {reason}" in pages


@needs_tex
@pytest.mark.usefixtures("without_figures")
def test_the_paper_and_the_table_say_both(made: Made) -> None:
    path = write_report("paper", *made)
    page = "".join(compiled(path.parent, "paper", times=2).split())
    table = write_report("latex", *made)
    shutil.copy(table, path.parent / "beside.tex")
    (path.parent / "host.tex").write_text(PREAMBLE + r"\input{beside}\end{document}", encoding="utf-8")
    alone = "".join(compiled(path.parent, "host").split())
    for status, reason in REASONS.items():
        assert status in alone
        assert "".join(f"{status}: {reason}".split()) in page


def test_records_hold_both(made: Made) -> None:
    read = write_report("csv", *made).read_text(encoding="utf-8")
    for rows in (
        list(csv.DictReader(io.StringIO(read))),
        parquet.read_table(write_report("parquet", *made)).to_pylist(),
    ):
        found = {row["name"]: (row["status"], row["error"]) for row in rows}
        assert set(found) == set(METHODS)
        for row, status in ROWS.items():
            assert found[row] == (status, REASONS[status])


def test_the_terminal_says_both(made: Made) -> None:
    console = Console(file=io.StringIO(), width=118)
    print_table(made[0], made[1], console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for row, status in ROWS.items():
        (title,) = {run.title for run in made[0].runs if run.name == row}
        assert any(title in line and status in line for line in text.splitlines())
        assert REASONS[status] in " ".join(text.split())
