"""Five hundred hostile strings through every format: each is there as it is, and none is markup, code or a formula.

One mark is meant: where a sentence is set, what stands between two backticks is shown as code, without them.
"""

import csv
import io
import random
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from test_latex import as_printed, compiled, needs_tex, squeezed
from test_pdf import Pages
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.record import Results
from showdown.core.terminal import escape_controls
from showdown.report.formats import write_report
from showdown.report.markdown import markdown
from showdown.report.page.write import page
from showdown.report.prose import spans
from showdown.report.records.csv import records_csv
from showdown.verdict.summary import judge

COUNT = 500
PARTS = (
    *HOSTILE,
    *(
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "</style>",
        "</title>",
        "</svg>",
        "&lt;",
        "&#x3c;",
        "&",
    ),
    *(
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>",
        '" onload="',
        "' autofocus '",
        "{{ 7*7 }}",
        "{% if",
    ),
    *(
        "\\input{/etc/passwd}",
        "\\write18{id}",
        "\\end{document}",
        "\\catcode`\\%=0",
        "$$",
        "^^5c",
        "%",
        "\\\\",
        "}{",
        "~",
    ),
    *('#read("/etc/passwd")', '#eval("1")', "*strong*", "_em_", "`code`", "```", "[a](http://x.y)", "![a](b)", "# a"),
    *(
        "| a | b |",
        "---",
        "1. a",
        "- a",
        "<http://x.y>",
        "http://x.y",
        "=cmd",
        "+1",
        "-1",
        "@SUM(A1)",
        "=1+1",
        ";",
        ",",
        '"',
    ),
    *(
        "\u202e",
        "\u202c",
        "\u2066",
        "\u2069",
        "\u200f",
        "\u0646\u0635",
        "\u05d0\u05d1",
        "\U0001f600",
        "\U0001f1e9\U0001f1ea",
    ),
    *(
        "\u4e2d\u6587",
        "e\u0301",
        "\u00df",
        "\u2028",
        "\x07",
        "\x1b[31m",
        "\x85",
        "\u200b",
        "\ufeff",
        "\ufffe",
        "a" * 60,
        " ",
    ),
)


def strings() -> list[str]:
    """Strings of one to four parts, the same each time, each with its number."""
    draw = random.Random(17)
    made = ["".join(draw.choice(PARTS) for _ in range(draw.randint(1, 4))) for _ in range(COUNT)]
    return [f"{text} {number}" for number, text in enumerate(made)]


def without_marks(text: str) -> str:
    """A text as a sentence shows it."""
    return "".join(part for part, _ in spans(" ".join(text.split())))


def one_line(text: str) -> str:
    """The words of a text: how white space stands is up to a format."""
    return " ".join(text.split())


class Texts(HTMLParser):
    """Texts of the list's items, and all tags but bare `code` in them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.items: list[str] = []
        self.tags: list[str] = []
        self._in_item = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "code" or attrs or not self._in_item:
            self.tags.append(tag)
        if tag == "li":
            self._in_item = True
            self.items.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "li":
            self._in_item = False

    def handle_data(self, data: str) -> None:
        if self._in_item:
            self.items[-1] += data


def _without_controls(text: str) -> str:
    composed = one_line(unicodedata.normalize("NFC", text))
    return "".join(f"[U+{ord(sign):04X}]" if sign < " " or sign == "\x7f" else sign for sign in composed)


def noted(folder: Path, notes: list[str]) -> Results:
    """A comparison one of whose runs has these notes."""
    results = write_comparison(folder, methods={name: METHODS[name] for name in ("tfidf", "lora")})
    runs = [results.runs[0].model_copy(update={"notes": notes}), *results.runs[1:]]
    return results.model_copy(update={"runs": runs})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("hostile") / "out"
    return noted(folder, strings()), folder


def test_the_page_holds_them_all_and_no_tag_more(hostile: tuple[Results, Path], tmp_path: Path) -> None:
    results, folder = hostile
    harmless = noted(tmp_path / "out", [f"a note {number}" for number in range(COUNT)])
    found = Texts(page(results, judge(results, folder), folder))
    assert found.tags == Texts(page(harmless, judge(harmless, tmp_path / "out"), tmp_path / "out")).tags
    items = {one_line(item) for item in found.items}
    assert [text for text in strings() if one_line(without_marks(f"tfidf: {text}")) not in items] == []


def test_markdown_holds_them_all_as_text(hostile: tuple[Results, Path], tmp_path: Path) -> None:
    results, folder = hostile
    harmless = noted(tmp_path / "out", [f"a note {number}" for number in range(COUNT)])
    reader = MarkdownIt("commonmark").enable("table")
    found = Texts(reader.render(markdown(results, judge(results, folder))))
    assert found.tags == Texts(reader.render(markdown(harmless, judge(harmless, tmp_path / "out")))).tags
    items = {one_line(item) for item in found.items}
    assert [text for text in strings() if escape_controls(one_line(f"tfidf: {text}")) not in items] == []


def test_markdown_sends_nothing_to_a_terminal_and_starts_no_script(hostile: tuple[Results, Path]) -> None:
    results, folder = hostile
    text = markdown(results, judge(results, folder))
    assert not any(unicodedata.category(sign) == "Cc" for sign in text.replace("\n", ""))
    assert "\\u001b" in text
    assert not re.search(r"on(error|load)\s*=", text)
    assert re.search(r"onerror\\=", text)


@needs_tex
def test_latex_prints_them_all_and_reads_no_file(hostile: tuple[Results, Path]) -> None:
    results, folder = hostile
    path = write_report("paper", results, judge(results, folder), folder)
    text = compiled(path.parent, "paper")
    printed = squeezed(text)
    assert "root:" not in text
    wanted = [squeezed(as_printed(_without_controls(without_marks(text)))) for text in strings()]
    assert [text for text in wanted if text not in printed] == []


def test_pdf_shows_them_all(hostile: tuple[Results, Path]) -> None:
    """Those of ASCII are read back; a font without a glyph has no text to read."""
    results, folder = hostile
    pages = Pages(write_report("pdf", results, judge(results, folder), folder))
    plain = [text for text in strings() if text.isascii() and text.isprintable()]
    assert len(plain) > 100
    assert [text for text in plain if without_marks(text) not in pages] == []


def test_csv_gives_them_all_back_and_none_is_a_formula(hostile: tuple[Results, Path]) -> None:
    results, _ = hostile
    runs = [results.runs[0].model_copy(update={"error": text, "title": text[::-1]}) for text in strings()]
    rows = list(csv.DictReader(io.StringIO(records_csv(results.model_copy(update={"runs": runs})), newline="")))
    assert len(rows) == COUNT
    for row, text in zip(rows, strings(), strict=True):
        for cell, wanted in ((row["error"], text), (row["title"], text[::-1])):
            assert cell in (wanted, f"'{wanted}")
            assert cell[0] not in "=+-@\t\r"
