"""The PDF, rendered and read back: its text against the records, and hostile text as text."""

import sys
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.errors import UserError
from showdown.core.record import Results
from showdown.report.figures.gallery import figures_of
from showdown.report.formats import write_report
from showdown.report.pdf.write import pdf
from showdown.report.table import comparison_table
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

TITLES = {f"row-{place}": ("lora", text, 0.9 - place / 20) for place, text in enumerate(HOSTILE)}
FAULT = 'needs 99 GB #emph[x] $x$ \\ "q"'


class Pages:
    """A PDF's pages with their text, spaces and breaks of lines left out."""

    def __init__(self, path: Path) -> None:
        self.document = pypdfium2.PdfDocument(path)
        self.texts = [self._squeezed(page.get_textpage().get_text_range()) for page in self.document]
        self.text = "".join(self.texts)

    @staticmethod
    def _squeezed(text: str) -> str:
        return "".join(text.replace("\u200b", "").replace("\ufffe", "").split())

    def __contains__(self, text: str) -> bool:
        return self._squeezed(text) in self.text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Verdict, Pages, Path]:
    folder = tmp_path_factory.mktemp("pdf")
    labels = [*HOSTILE, *(f"a rather long label of class {place} that goes on" for place in range(17))]
    results = write_comparison(
        folder,
        name="hostile",
        labels=labels,
        methods={**METHODS, **TITLES},
        failed={"qlora": FAULT, "row-5": "no"},
        rows=250,
        allow_leakage=True,
    )
    verdict = judge(results, folder)
    return results, verdict, Pages(write_report("pdf", results, verdict, folder)), folder


def test_it_holds_the_table_as_the_records_have_it(made: tuple[Results, Verdict, Pages, Path]) -> None:
    results, verdict, pages, _ = made
    assert 3 <= len(pages.texts) <= 8
    for run in results.runs:
        if run.accuracy is not None:
            assert f"{100 * run.accuracy:.1f}" in pages.texts[0]
            assert f"{run.f1_macro:.3f}" in pages.texts[0]
            assert run.train_seconds is not None
            assert f"{run.train_seconds:.1f}" in pages.texts[0]
    assert pages.texts[0].count("out-of-memory") == 2
    for line in comparison_table(results, verdict).verdict:
        assert line in pages or any(sign in line for sign in "\u2028-"), line  # a word may be divided at a line's end
    assert verdict.recommendation.sentence in pages
    assert results.data["fingerprint"] in pages


def test_a_leak_is_the_first_thing_said(made: tuple[Results, Verdict, Pages, Path]) -> None:
    first = made[2].texts[0]
    assert first.startswith("hostileLEAKAGEALLOWED:copiesoftrainingrows")


def test_hostile_text_stands_as_it_is(made: tuple[Results, Verdict, Pages, Path]) -> None:
    pages = made[2]
    assert FAULT in pages
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[5], "caf\u00e9"):
        assert text in pages, text
    assert "[U+202E]right to left[U+202C]" in pages, "an override would turn the line around"
    assert "row-7" in pages
    for page in pages.document:
        assert not [link for link in page.get_objects() if link.type == "link"]


def test_every_figure_is_in_it_and_nothing_runs_off_the_page(made: tuple[Results, Verdict, Pages, Path]) -> None:
    results, verdict, pages, folder = made
    for figure in figures_of(results, verdict, folder):
        assert figure.title in pages, figure.name
    for page in pages.document:
        picture = page.render(scale=0.5, grayscale=True).to_numpy()
        assert picture.min() < 128, "an empty page"
        margins = (picture[:8], picture[-8:], picture[:, :12], picture[:, -12:])
        assert all(margin.min() > 250 for margin in margins), "ink in the margin"


def test_a_figure_that_the_pages_do_not_know_by_name_is_shown_too(made: tuple[Results, Verdict, Pages, Path]) -> None:
    results, verdict, _, folder = made
    new = replace(figures_of(results, verdict, folder)[0], name="brand-new", title="A brand new figure")
    (folder / "new.pdf").write_bytes(pdf(results, verdict, [new]))
    assert "A brand new figure" in Pages(folder / "new.pdf")


def test_a_library_that_is_missing_is_one_line_that_names_the_install(
    made: tuple[Results, Verdict, Pages, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, verdict, _, folder = made
    monkeypatch.setitem(sys.modules, "typst", None)
    monkeypatch.delitem(sys.modules, "showdown.report.pdf.write", raising=False)
    with pytest.raises(UserError, match=r"--format pdf needs typst.*: pip install typst"):
        write_report("pdf", results, verdict, folder)
