r"""LaTeX compiles, and what a user wrote stays text: read back from the pages as `pdftotext` sees them."""

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.record import Results
from showdown.report import figures
from showdown.report.formats import write_report
from showdown.report.latex.escape import _PRINTED, latex
from showdown.report.latex.paper import SHOWN, paper
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


def squeezed(text: str) -> str:
    """Text without spaces, hyphens at the ends of lines, and the minus that TeX sets for a hyphen in a formula."""
    return "".join(text.replace("\u2212", "-").replace("\u00ad", "").split())


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


@needs_tex
def test_the_paper_compiles_with_every_number_from_the_records(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, failed={"qlora": "needs 99 GB"}, seeds=(0, 1), rows=90)
    verdict = judge(results, tmp_path)
    path = write_report("paper", results, verdict, tmp_path)
    text = compiled(path.parent, "paper", times=2)
    page = squeezed(text)
    for run in verdict.rows:
        if run.accuracy and run.f1_macro:
            assert f"{100 * run.accuracy.value:.1f}" in page
            assert f"{run.f1_macro.value:.3f}" in page
    for pair in verdict.pairs:
        assert f"{100 * pair.accuracy.low:+.1f}to{100 * pair.accuracy.high:+.1f}" in page
    for line in verdict.sentences:
        assert squeezed(as_printed(line)) in page or "out-of-memory" in line, line
    assert "450labelledtextsin3classes" in page  # what the audit counted
    log = (path.parent / "paper.log").read_text(encoding="latin-1")
    for fault in ("Overfull", "undefined", "multiply defined", "Missing character"):
        assert fault not in log, fault
    for picture in (path.parent / "figures").iterdir():
        assert f"figures/{picture.name}" in path.read_text(encoding="utf-8")


@needs_tex
@pytest.mark.parametrize("length", [*(pytest.param(length, marks=pytest.mark.long) for length in (12, 13, 20)), 15, 60])
def test_a_paper_of_long_names_stays_on_the_page(tmp_path: Path, length: int) -> None:
    methods = {letter * length: ("lora", letter, 0.5 + place / 10) for place, letter in enumerate("nou")}
    results = write_comparison(tmp_path, methods=methods)
    path = write_report("paper", results, judge(results, tmp_path), tmp_path)
    compiled(path.parent, "paper", times=2)
    assert "Overfull" not in (path.parent / "paper.log").read_text(encoding="latin-1")


def test_the_paper_cites_what_was_used_and_lists_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "used"
    results = write_comparison(source, model="mistralai/Mistral-7B-v0.1", seeds=(0, 1))
    text = paper(results, judge(results, source), [])
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", text) for key in keys.split(",")}
    listed = re.findall(r"\\bibitem\{([^}]+)\}", text)
    assert cited == set(listed)
    assert len(listed) == len(set(listed))
    assert {"hu2022", "dettmers2023", "jiang2023", "holm1979", "mcnemar1947", "smyth2004"} <= cited
    assert not cited & {"liu2024", "wang2020", "nadeau2003", "akiba2019", "yin2019"}
    plain = {name: METHODS[name] for name in ("majority", "tfidf")}
    few = write_comparison(tmp_path / "few", methods=plain, model="all-minilm-l6-v2")
    text = paper(few, judge(few, tmp_path / "few"), [])
    assert r"\bibitem{wang2020}" in text
    assert r"\bibitem{reimers2019}" in text
    assert "loshchilov2019" not in text
    assert "hu2022" not in text


@needs_tex
def test_hostile_text_and_a_leak_in_the_paper(tmp_path: Path) -> None:
    titles = {f"row-{place}": ("lora", text, 0.9 - place / 20) for place, text in enumerate(HOSTILE)}
    results = write_comparison(
        tmp_path,
        labels=HOSTILE,
        methods={**METHODS, **titles, "x" * 64: ("lora", "L" * 90, 0.5)},
        failed={"qlora": HOSTILE[0], "row-5": HOSTILE[1]},
        model=HOSTILE[2],
        fingerprint=HOSTILE[1],
        allow_leakage=True,
        rows=160,
    )
    verdict = judge(results, tmp_path)
    path = write_report("paper", results, verdict, tmp_path)
    page = squeezed(compiled(path.parent, "paper", times=2))
    assert "root:" not in page
    assert "LEAKAGEALLOWED" in page[:400]
    for text in (*HOSTILE, "x" * 64, "L" * 90):
        assert squeezed(as_printed(text)) in page, text
    assert "Overfull" not in (path.parent / "paper.log").read_text(encoding="latin-1")


def test_the_paper_calls_equal_only_what_is(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    assert "one protocol for all" in paper(results, judge(results, tmp_path), [])
    runs = list(results.runs)
    other = runs[-1].spec.protocol.model_copy(update={"epochs": 9})
    runs[-1] = runs[-1].model_copy(update={"spec": runs[-1].spec.model_copy(update={"protocol": other})})
    mixed = results.model_copy(update={"runs": runs})
    text = paper(mixed, judge(mixed, tmp_path), [])
    assert "one protocol for all" not in text
    assert "equal for every method" not in text
    assert "Arms differ in epochs" in text


def test_a_paper_knows_figures_by_the_names_that_they_have() -> None:
    drawn = "".join(path.read_text(encoding="utf-8") for path in Path(figures.__path__[0]).glob("*.py"))
    assert [name for name in SHOWN if f'name="{name}"' not in drawn] == []
