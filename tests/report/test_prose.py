"""What stands between backticks in a sentence is code; what a user wrote stays as it is."""

from pathlib import Path

import pytest
from test_hostile_strings import noted
from test_latex import compiled, needs_tex, squeezed
from test_pdf import Pages

from showdown.core.record import Results
from showdown.report.formats import write_report
from showdown.report.latex.escape import latex_prose
from showdown.report.markdown import markdown
from showdown.report.page.prose import prose
from showdown.report.page.write import page
from showdown.report.prose import spans
from showdown.verdict.summary import judge

NOTE = "memory `lean`: install `pip install 'x[audit]'` (`a_b`)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("prose") / "out"
    return noted(folder, [NOTE]), folder


@pytest.mark.parametrize(
    "text", ["", "no code", "\\catcode`\\%=0", "```", "``", "` a `", "x`y`z", "a `b", "f`(x)`", "`a`b`", "`\n`"]
)
def test_other_backticks_are_text(text: str) -> None:
    assert "".join(part for part, _ in spans(text)) == text
    assert not any(is_code for _, is_code in spans(text))


def test_code_in_html_is_escaped() -> None:
    assert prose('a `<b onload="x">` <i>') == "a <code>&lt;b onload=&#34;x&#34;&gt;</code> &lt;i&gt;"


def test_code_in_latex_is_escaped() -> None:
    assert latex_prose(r"a  `\input{x}` b_c") == (r"a \texttt{\textbackslash{}input\{x\}} b\_\allowbreak{}c")


@pytest.mark.usefixtures("without_figures")
def test_the_page_shows_code(made: tuple[Results, Path]) -> None:
    results, folder = made
    found = page(results, judge(results, folder), folder)
    install = "<code>pip install &#39;x[audit]&#39;</code>"
    assert f"<li>tfidf: memory <code>lean</code>: install {install} (<code>a_b</code>)</li>" in found


@pytest.mark.usefixtures("without_figures")
def test_the_pdf_shows_code(made: tuple[Results, Path]) -> None:
    results, folder = made
    pages = Pages(write_report("pdf", results, judge(results, folder), folder))
    assert NOTE.replace("`", "") in pages


@pytest.mark.usefixtures("without_figures")
def test_the_paper_shows_code(made: tuple[Results, Path]) -> None:
    results, folder = made
    path = write_report("paper", results, judge(results, folder), folder)
    assert r"memory \texttt{lean}: install" in path.read_text(encoding="utf-8")


@needs_tex
@pytest.mark.usefixtures("without_figures")
def test_the_paper_prints_code(made: tuple[Results, Path]) -> None:
    results, folder = made
    path = write_report("paper", results, judge(results, folder), folder)
    assert squeezed(NOTE.replace("`", "")) in squeezed(compiled(path.parent, "paper"))


def test_markdown_keeps_backticks(made: tuple[Results, Path]) -> None:
    results, folder = made
    assert r"memory \`lean\`: install" in markdown(results, judge(results, folder))
