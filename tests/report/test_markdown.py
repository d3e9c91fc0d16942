"""The Markdown report: its marks, and the pictures that it links."""

import os
import re
from pathlib import Path

from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.report.formats import write_report
from showdown.report.markdown import markdown
from showdown.verdict.summary import judge


def links(text: str) -> list[str]:
    return re.findall(r"^!\[.+\]\((.+)\)$", text, flags=re.MULTILINE)


def test_pictures_that_were_drawn_of_these_results_are_linked(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    verdict = judge(results, tmp_path)
    path = write_report("markdown", results, verdict, tmp_path)
    assert links(path.read_text(encoding="utf-8")) == []
    drawn = write_report("figures", results, verdict, tmp_path)
    found = links(write_report("markdown", results, verdict, tmp_path).read_text(encoding="utf-8"))
    assert {(path.parent / link).name for link in found} == {file.name for file in drawn.glob("*.png")}
    assert all((path.parent / link).is_file() for link in found)
    later = max(file.stat().st_mtime for file in drawn.iterdir()) + 5
    os.utime(tmp_path / "results.json", (later, later))
    text = write_report("markdown", results, verdict, tmp_path).read_text(encoding="utf-8")
    assert links(text) == [], "they show what is no longer so"


def test_the_best_is_bold_and_what_cannot_be_told_from_it_has_a_dagger(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    text = markdown(results, judge(results, tmp_path))
    scores = {run.title: 100 * run.accuracy for run in results.runs if run.accuracy is not None}
    best = max(scores, key=lambda title: scores[title])
    assert f"| {best} | **{scores[best]:.1f}** |" in text
    assert re.search(r"\| \d\d\.\d † \|", text)
    assert "Bold: the best measured in a column" in text


def test_hostile_titles_are_no_markup(tmp_path: Path) -> None:
    titles = {f"row-{place}": ("lora", text, 0.9 - place / 20) for place, text in enumerate(HOSTILE)}
    results = write_comparison(tmp_path, methods={**METHODS, **titles}, labels=HOSTILE, failed={"lora": HOSTILE[2]})
    text = markdown(results, judge(results, tmp_path))
    bare = re.sub(r"\\.", "", text)
    assert "<" not in bare
    assert "`" not in bare
    lines = [line for line in bare.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in lines[:14]} == {12}, "a bar in a title makes no cell"


def test_every_pair_has_its_effect_its_interval_and_its_tests(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    verdict = judge(results, tmp_path)
    text = markdown(results, verdict)
    (heading,) = [line for line in text.splitlines() if line.startswith("| First | Second |")]
    assert heading == (
        "| First | Second | Accuracy, points | 95 % interval | p (Holm) | Different | Only first right, rows "
        "| Only second right, rows | Worse, margin 1 point | Macro F1, points | 95 % interval "
        "| McNemar p, one run each | Differ also in |"
    )
    lines = text[text.index(heading) :].splitlines()[2 : 2 + len(verdict.pairs)]
    assert len(verdict.pairs) == 10
    for line, pair in zip(lines, verdict.pairs, strict=True):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert cells[:2] == [pair.first, pair.second]
        assert float(cells[2]) == round(100 * pair.accuracy.value, 1)
        assert cells[3] == f"{100 * pair.accuracy.low:+.1f} to {100 * pair.accuracy.high:+.1f}"
        assert cells[5] == ("yes" if pair.different else "not shown")
        assert pair.f1_macro is not None
        assert float(cells[9]) == round(100 * pair.f1_macro.value, 1)
        assert (float(cells[6]), float(cells[7])) == (pair.first_only, pair.second_only)
        assert re.fullmatch(rf"{pair.first}: (no|may be|yes), {pair.second}: (no|may be|yes)", cells[8])
    assert "exact McNemar test" in text
    assert "corrected resampled" not in text


def test_pairs_of_repeated_splits_name_their_test(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "some")
    verdict = judge(results, tmp_path / "some")
    repeated = [
        pair.model_copy(update={"test": "corrected resampled t", "mcnemar_p": None, "f1_macro": None})
        for pair in verdict.pairs
    ]
    text = markdown(results, verdict.model_copy(update={"pairs": repeated}))
    assert "the corrected resampled t-test over repeats" in text
    assert "| - | - | - | - |" in text


def test_one_row_makes_no_pair(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, methods={"lora": METHODS["lora"]})
    assert "## Pairs" not in markdown(results, judge(results, tmp_path))
