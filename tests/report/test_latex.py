r"""LaTeX compiles, and what a user wrote stays text: read back from the pages as `pdftotext` sees them."""

import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.record import Results
from showdown.report.latex.escape import _PRINTED, latex
from showdown.report.latex.table import write_table
from showdown.report.table import comparison_table
from showdown.verdict.summary import judge

needs_tex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdftotext")),
    reason="needs pdflatex and pdftotext (Debian: texlive-latex-recommended lmodern poppler-utils)",
)
PREAMBLE = (
    r"\documentclass{article}\input{glyphtounicode}\pdfgentounicode=1"
    r"\usepackage{lmodern}\usepackage[T1]{fontenc}\usepackage{booktabs,graphicx}\begin{document}"
)


def compiled(folder: Path, name: str, *, times: int = 1) -> str:
    """Compile NAME.tex without a way out of the folder or to a shell, and return the text of its pages."""
    for _ in range(times):
        found = subprocess.run(
            ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"],
            cwd=folder,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert found.returncode == 0, found.stdout.decode(errors="replace")[-2000:]
    text = subprocess.run(
        ["pdftotext", "-raw", f"{name}.pdf", "-"], cwd=folder, capture_output=True, timeout=60, check=True
    )
    return text.stdout.decode()


def as_printed(text: str) -> str:
    """What a page shows of a text: code points instead of characters without a glyph, without spaces."""
    kept = (c if c.isascii() or c in _PRINTED else f"[U+{ord(c):04X}]" for c in " ".join(text.split()))
    return "".join("".join(kept).split())


def without_accents(text: str) -> str:
    """The text as a PDF's fonts tell it: eth and crossed D are one glyph, and a dotless j carries the circumflex."""
    apart = unicodedata.normalize("NFKD", text.replace("\u0237", "j").replace("\u0110", "\u00d0"))
    return "".join(character for character in apart if not unicodedata.combining(character))


@needs_tex
def test_every_character_that_is_kept_is_printed(tmp_path: Path) -> None:
    ascii_signs = "".join(map(chr, range(33, 127)))
    joined = "a--b ---c ,,d'' ``e <<f>> ?`g !`h fi"
    lines = [latex(text) for text in (ascii_signs, joined, *sorted(_PRINTED))]
    (tmp_path / "all.tex").write_text(PREAMBLE + "\n\n".join(lines) + r"\end{document}", encoding="utf-8")
    found = "".join(compiled(tmp_path, "all").split())
    for text in (ascii_signs, joined):
        assert as_printed(text) in found, text
    for character in _PRINTED:  # a cedilla may be set, and read back, as a comma beneath the letter
        assert without_accents(character) in without_accents(found), character
    assert "Missing character" not in (tmp_path / "all.log").read_text(encoding="latin-1")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_command_but_our_own_is_left(text: str) -> None:
    escaped = latex(text)
    assert "\n" not in escaped
    for command in (r"\input", r"\def", "%", "$", "&", "#", "_", "^", "~"):
        rest = escaped.replace(r"\%", "").replace(r"\$", "").replace(r"\&", "").replace(r"\#", "").replace(r"\_", "")
        assert command not in rest


def hostile_comparison(folder: Path) -> Results:
    titles = {f"row-{place}": ("lora", text, 0.9 - place / 20) for place, text in enumerate(HOSTILE)}
    return write_comparison(
        folder,
        name="hostile",
        labels=HOSTILE,
        methods={**METHODS, **titles},
        failed={"qlora": HOSTILE[1], "row-5": HOSTILE[0]},
        rows=160,
    )


@needs_tex
def test_the_table_holds_the_records_and_hostile_names_stay_text(tmp_path: Path) -> None:
    results = hostile_comparison(tmp_path)
    verdict = judge(results, tmp_path)
    path = write_table(results, verdict, tmp_path)
    (tmp_path / "host.tex").write_text(PREAMBLE + rf"\input{{{path.stem}}}\end{{document}}", encoding="utf-8")
    page = "".join(compiled(tmp_path, "host", times=2).split())
    assert "root:" not in page, "the contents of a file of this machine were put into the page"
    table = comparison_table(results, verdict)
    for row in table.rows:
        assert as_printed(row[0]) in page, row[0]
    for run in results.runs:
        if run.accuracy is not None and len([r for r in results.runs if r.name == run.name]) == 1:
            assert f"{100 * run.accuracy:.1f}" in page
    assert page.count("out-of-memory") == 2


@needs_tex
def test_a_wide_table_stays_on_the_page(tmp_path: Path) -> None:
    methods = {f"m{place}": ("lora", "A method with a very long name, " * 3, 0.8) for place in range(7)}
    results = write_comparison(tmp_path, methods=methods)
    path = write_table(results, judge(results, tmp_path), tmp_path)
    (tmp_path / "wide.tex").write_text(PREAMBLE + rf"\input{{{path.stem}}}\end{{document}}", encoding="utf-8")
    compiled(tmp_path, "wide")
    assert "Overfull \\hbox" not in (tmp_path / "wide.log").read_text(encoding="latin-1")
