"""The page as text: what it holds, what it escapes, what it asks for."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from traced_comparison import write_traced
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.record import Results
from showdown.core.spec import DataSpec
from showdown.core.split import SingleSplit
from showdown.data.prepare import load_side, prepare, write_prepared
from showdown.report.disagreements import disagreements
from showdown.report.figures import gallery
from showdown.report.formats import write_report
from showdown.report.page.rows import sort_key
from showdown.report.page.write import page
from showdown.verdict.classification.answers import load_outcomes
from showdown.verdict.summary import judge
from tiny_pretrained import separable_rows

EVIL = (
    "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> \u202eright to left\u202c \U0001f600"
)
FEW = {name: METHODS[name] for name in ("majority", "tfidf", "full", "lora")}


class Parsed(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.links += [str(given[key]) for key in ("src", "href", "xlink:href", "action") if key in given]


def with_texts(folder: Path, **given: object) -> Results:
    """Write a comparison and processed data whose texts are hostile."""
    source = folder.parent / f"{folder.name}.csv"
    rows = separable_rows(60)
    lines = [
        '"{}",{}'.format(f"{text} {EVIL} {row}", ("a", "b", "c")[target])
        for row, (text, target) in enumerate(zip(rows.texts, rows.targets, strict=True))
    ]
    source.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    results = write_traced(folder, methods=FEW, **given)  # type: ignore[arg-type]
    data = DataSpec(source=str(source), near_duplicate_jaccard=0.99)
    write_prepared(prepare(data, SingleSplit()), folder / "data" / "processed")
    return results


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path, str]:
    folder = tmp_path_factory.mktemp("page") / "out"
    results = with_texts(folder, labels=HOSTILE[:4], failed={"full": f"{EVIL} needs 9 GB"}, name="hostile")
    return results, folder, page(results, judge(results, folder), folder)


def test_the_page_asks_for_nothing_and_runs_one_script(written: tuple[Results, Path, str]) -> None:
    parsed = Parsed(written[2])
    assert parsed.tags.count("script") == 2  # the decisions, which are data, and the page's own
    assert not {"img", "iframe", "object", "embed", "form", "base"} & set(parsed.tags)
    assert {link[0] for link in parsed.links} <= {"#", "d"}
    assert "data:," in parsed.links
    assert "default-src 'none'" in written[2]
    for outside in re.findall(r"(?:https?:)?//[^\s\"'<)]+", written[2]):
        assert outside.startswith("http://www.w3.org/"), outside  # names of XML, which nobody fetches


def test_hostile_text_is_text(written: tuple[Results, Path, str]) -> None:
    markup = written[2]
    assert "<img" not in markup
    assert "<script>alert" not in markup
    assert "&lt;img src=x onerror=alert(1)&gt;" in markup
    assert "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;" in markup
    assert "\U0001f600" in markup


def test_the_first_screen_has_the_answer_the_table_and_the_chart(written: tuple[Results, Path, str]) -> None:
    results, folder, markup = written
    verdict = judge(results, folder)
    first = markup[markup.index('id="answer"') : markup.index('id="limits"')]
    heading = first[first.index("<h1") : first.index("</h1>")]
    assert html.unescape(re.sub("<[^>]+>", "", heading)) == verdict.sentences[0]
    assert re.search(r'<span class="together">[+-]?[\d.]+ %</span>', heading), "a number stays with its unit"
    assert f"<strong>{verdict.recommendation.sentence}</strong>" in first
    assert 'id="figure-trade-off"' in first
    assert first.count("<tr") == 1 + len(FEW)
    assert "out-of-memory" in first  # the failed row stays and says why
    assert "needs 9 GB" in first
    assert "LEAKAGE ALLOWED" not in first


def test_every_drawing_has_words(written: tuple[Results, Path, str]) -> None:
    markup = written[2]
    drawings = re.findall(r'<div role="img" aria-label="([^"]+)"', markup)
    assert len(drawings) == markup.count("<figure") >= 8
    assert all(len(words) > 40 for words in drawings)
    assert markup.count("<svg") == markup.count('<svg aria-hidden="true" focusable="false"')
    assert not re.search(r'(fill|stroke)="#', markup)  # every colour follows the theme


def test_sections_hold_what_the_comparison_was(written: tuple[Results, Path, str]) -> None:
    results, _, markup = written
    for section in ("verdict", "memory", "machine", "labels", "disagreements", "data", "protocol", "environment"):
        assert f'<section id="{section}"' in markup
        assert f'href="#{section}"' in markup
    assert "0123abc" in markup  # the model's revision
    assert results.data["fingerprint"] in markup
    assert "showdown run comparison.yaml" in markup
    assert "effective batch rows" in markup


@pytest.mark.usefixtures("without_figures")
def test_leakage_is_said_on_the_first_screen(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_comparison(folder, methods={"tfidf": METHODS["tfidf"]}, allow_leakage=True)
    markup = page(results, judge(results, folder), folder)
    assert "LEAKAGE ALLOWED" in markup[markup.index('role="alert"') : markup.index("<h1")]


def test_a_comparison_without_scores_is_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_comparison(folder, methods=FEW, failed=dict.fromkeys(FEW, "needs 99 GB"))
    path = write_report("html", results, judge(results, folder), folder)
    markup = path.read_text(encoding="utf-8")
    assert path == folder / "report.html"
    assert markup.count("needs 99 GB") >= len(FEW)
    assert 'id="limits"' not in markup
    assert "<figure" not in markup
    environment = markup[markup.index('<section id="environment"') : markup.index('<section id="reproduce"')]
    assert "no run came that far" in environment


def test_disagreements_are_those_of_the_predictions(written: tuple[Results, Path, str]) -> None:
    results, folder, markup = written
    found = disagreements(results, folder, 5)
    outcomes = {name: part.parts[0] for name, part in load_outcomes(results, folder).items() if name != "majority"}
    predicted = [part.predicted[0] for part in outcomes.values()]
    assert found.count == sum(len({int(answers[row]) for answers in predicted}) > 1 for row in range(60))
    assert len(found.shown) == 5
    side = load_side(folder / "data" / "processed", "test")
    texts = dict(zip(side.row_ids, side.texts, strict=True))
    for one in found.shown:
        assert [answer.name for answer in one.answers] == ["tfidf", "lora"]
        assert all(answer.right == (answer.label == one.label) for answer in one.answers)
        assert one.text == texts.get(one.row)
        assert f"Row {one.row}:" in markup


def test_rows_that_share_a_colour_have_lines_of_their_own_in_the_legend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "GALLERY", (gallery.system,))  # one that has a legend
    folder = tmp_path / "out"
    methods = {f"lora-r{rank}": ("lora", f"LoRA, rank {rank}", 0.8) for rank in (1, 2, 4, 8, 16, 32, 64, 128, 256)}
    results = write_traced(folder, methods=methods)
    markup = page(results, judge(results, folder), folder)
    legend = markup[markup.index('<ul class="legend"') :]
    entries = re.findall(r"<li>(.*?)</li>", legend[: legend.index("</ul>")])
    assert len(entries) == len(methods)
    assert len({re.sub(r"lora-r\d+", "", entry) for entry in entries}) == len(methods)


@pytest.mark.usefixtures("without_figures")
def test_damaged_texts_are_passed_over(written: tuple[Results, Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = with_texts(folder, labels=("a", "b", "c"))
    warning = "The texts are yours"
    assert warning in page(results, judge(results, folder), folder)
    (folder / "data" / "processed" / "test.jsonl").write_text("{}", encoding="utf-8")
    assert {one.text for one in disagreements(results, folder, 9).shown} == {None}
    assert warning not in page(results, judge(results, folder), folder), "there are none in it"


def test_the_decisions_are_data(written: tuple[Results, Path, str]) -> None:
    markup = written[2]
    (said,) = re.findall(r'<script type="application/json" id="decisions">(.*?)</script>', markup, re.DOTALL)
    found = json.loads(said)
    assert found["rows"] == ["majority", "tfidf", "lora"]
    assert [one["limit"] for one in found["criteria"]] == [
        "max_memory_gb",
        "max_cost",
        "min_f1_macro",
        "max_latency_ms",
    ]
    assert [one["unit"] for one in found["criteria"]] == ["GB", "US dollars", "", "ms"]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("59.4", 59.4), ("688 K", 688e3), ("22.7 M", 22.7e6), ("46 to 72", 46.0), ("-", None), ("", None), ("0", 0.0)],
)
def test_cells_are_sorted_by_what_they_show(cell: str, number: float | None) -> None:
    assert sort_key(cell) == number


@pytest.mark.usefixtures("without_figures")
def test_a_protocol_that_rows_do_not_share_is_not_called_shared(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    assert "<h3>The shared protocol</h3>" in page(results, judge(results, tmp_path), tmp_path)
    runs = list(results.runs)
    other = runs[-1].spec.protocol.model_copy(update={"epochs": 9})
    runs[-1] = runs[-1].model_copy(update={"spec": runs[-1].spec.model_copy(update={"protocol": other})})
    mixed = results.model_copy(update={"runs": runs})
    text = page(mixed, judge(mixed, tmp_path), tmp_path)
    assert "The shared protocol" not in text
    assert f"<h3>The protocol of {runs[0].title}</h3>" in text
