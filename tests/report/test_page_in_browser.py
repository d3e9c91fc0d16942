"""The page as a person meets it, in Debian's Chromium."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_page import EVIL, with_texts
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.record import Results
from showdown.report.figures.design import DARK, LIGHT
from showdown.report.page.write import page
from showdown.verdict.decisions import ON_PAGE
from showdown.verdict.margin import with_margin
from showdown.verdict.recommend import Limits, recommend
from showdown.verdict.summary import candidates, judge

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium fonts-noto-color-emoji"
)
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[dev]'")


class Report:
    """A written page, and what it was written from."""

    def __init__(self, results: Results, folder: Path) -> None:
        self.verdict = judge(results, folder)
        self.rows = candidates(self.verdict.rows, self.verdict.pairs)
        self.file = folder / "report.html"
        self.file.write_text(page(results, self.verdict, folder), encoding="utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("browser") / "out"
    return Report(with_texts(folder, labels=HOSTILE[:4], failed={"full": "needs 9 GB"}), folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, report: Report) -> Iterator[Any]:
    """The page from disk on a desktop; whatever it asks for or complains of fails the test."""
    with_complaints, complaints = browser.new_page(viewport={"width": 1280, "height": 900}), []
    with_complaints.on("console", lambda message: complaints.append(message.text))
    with_complaints.on("pageerror", lambda error: complaints.append(str(error)))
    with_complaints.on("request", lambda request: complaints.append(request.url))
    with_complaints.on("dialog", lambda dialog: complaints.append(dialog.message))
    with_complaints.goto(report.file.as_uri())
    yield with_complaints
    assert complaints == [report.file.as_uri()]
    with_complaints.close()


def test_the_first_screen_shows_answer_table_and_chart(opened: Any, report: Report) -> None:
    for selector in ("h1", "table.comparison", "#figure-trade-off svg"):
        assert opened.locator(selector).first.is_visible()
        assert opened.locator(selector).first.bounding_box()["y"] < 900
    assert opened.locator("h1").inner_text() == report.verdict.sentences[0]
    assert opened.title().startswith("small:")


def test_limits_move_the_recommendation(opened: Any, report: Report) -> None:
    said = opened.locator("#recommended")
    assert said.inner_text() == recommend(report.rows, Limits()).sentence
    lightest = min(row["memory_gb"] for row in report.rows)
    memory = opened.locator("input[type=number]").first
    memory.fill(str(lightest))
    told = recommend(report.rows, Limits(max_memory_gb=lightest))
    assert said.inner_text() == told.sentence
    assert opened.locator("#reasons li").all_inner_texts() == [*told.warnings, *told.reasons]
    assert told.chosen != recommend(report.rows, Limits()).chosen
    assert f"--max-memory-gb {lightest}" in opened.locator("#command").inner_text()
    memory.fill(str(lightest / 100))
    assert said.inner_text() == recommend(report.rows, Limits(max_memory_gb=lightest / 100)).sentence
    opened.get_by_role("button", name="No limits").click()
    assert said.inner_text() == recommend(report.rows, Limits()).sentence


def test_the_margin_moves_the_recommendation(opened: Any, report: Report) -> None:
    margins = opened.locator("#margin option").all_inner_texts()
    assert margins == ["0.5 points", "1 point", "2 points", "3 points", "5 points"]
    for place, margin in enumerate((0.5, 1.0, 2.0, 3.0, 5.0)):
        opened.locator("#margin").select_option(str(place))
        rows = candidates(report.verdict.rows, with_margin(report.verdict.pairs, margin / 100))
        told = recommend(rows, Limits())
        assert opened.locator("#recommended").inner_text() == told.sentence
        assert opened.locator("#reasons li").all_inner_texts() == [*told.warnings, *told.reasons]
        assert ("--margin" in opened.locator("#command").inner_text()) == (margin != 1.0)


def test_sliders_move_the_recommendation_from_the_keyboard(opened: Any, report: Report) -> None:
    slider = opened.locator("input[type=range]").first
    slider.focus()
    slider.press("Home")
    limit = float(opened.locator("input[type=number]").first.input_value())
    assert opened.locator("#recommended").inner_text() == recommend(report.rows, Limits(max_memory_gb=limit)).sentence
    assert slider.get_attribute("aria-valuetext") == f"{limit:g} GB"
    slider.press("End")
    assert opened.locator("input[type=number]").first.input_value() == ""
    assert slider.get_attribute("aria-valuetext") == "no limit"


def test_page_and_command_agree_over_many_limits(opened: Any, report: Report) -> None:
    draw = random.Random(11)
    keys = ("memory_gb", "cost", "f1_macro", "latency_ms")
    shown = [limit for limit in ON_PAGE if limit.split("_", 1)[1] in keys]  # those of labels
    asked = []
    for _ in range(400):
        known = [[row[key] for row in report.rows if row[key]] for key in keys]
        values = [draw.choice(found) * draw.choice([1.0, draw.uniform(0.1, 3.0)]) for found in known]
        values[2] = min(1.0, values[2])
        asked.append([value if draw.random() < 0.7 else None for value in values])
    answers = json.loads(
        opened.evaluate("asked => JSON.stringify(asked.map((limits) => showdownRecommend(limits)))", asked)
    )
    chosen = set()
    for limits, found in zip(asked, answers, strict=True):
        told = recommend(report.rows, Limits.model_validate(dict(zip(shown, limits, strict=True))))
        assert (found["chosen"], found.get("nearest"), found["sentence"]) == (told.chosen, told.nearest, told.sentence)
        assert found["reasons"] == (told.reasons if told.chosen else [])
        missed = {row["name"] for row, misses in zip(report.rows, found["missed"], strict=True) if any(misses)}
        assert missed == {one.name for one in told.rejected}
        chosen.add(told.chosen)
    assert {None, "tfidf", "lora"} <= chosen


def test_the_table_sorts_and_keeps_failed_rows_last(opened: Any) -> None:
    def column(place: int) -> list[str]:
        return [row.split("\t")[place] for row in opened.locator(".comparison tbody tr").all_inner_texts()]

    heading = opened.locator(".comparison thead th").nth(1)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    falling = [float(cell.split()[0].strip("†")) for cell in column(1)[:-1]]
    assert falling == sorted(falling, reverse=True)
    assert "needs 9 GB" in column(1)[-1]
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(cell.split()[0].strip("†")) for cell in column(1)[:-1]] == falling[::-1]
    assert "needs 9 GB" in column(1)[-1]


def test_hostile_text_is_shown_as_it_is(opened: Any) -> None:
    assert opened.title().startswith("small:")
    for summary in opened.locator("details").all():
        summary.evaluate("one => { one.open = true }")
    shown = opened.locator("#disagreements").inner_text()
    assert EVIL in shown
    assert opened.locator("main img, main script:not([type='application/json'])").count() == 0
    label = opened.locator("#labels tbody th bdi", has_text="right to left").first
    assert label.evaluate("one => getComputedStyle(one).unicodeBidi") == "isolate"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [380, 1280])
def test_page_holds_on_phones_and_in_the_dark(browser: Any, report: Report, width: int, dark: bool) -> None:
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(report.file.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    theme = DARK if dark else LIGHT
    colour = "rgb({}, {}, {})".format(*(int(theme["page"][at : at + 2], 16) for at in (1, 3, 5)))
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == colour
    fills = opened.locator("#figure-trade-off svg rect").first.evaluate("one => getComputedStyle(one).fill")
    assert fills == colour  # drawings follow the theme
    thin = opened.evaluate(_CONTRASTS)
    assert thin == []
    context.close()


@pytest.mark.parametrize("width", [380, 1280])
def test_long_names_leave_the_scores_in_sight(browser: Any, tmp_path: Path, width: int) -> None:
    folder = tmp_path / "out"
    name = f"lora-{'with-a-rather-long-name-' * 2}x"
    methods = {"tfidf": METHODS["tfidf"], name: ("lora", "LoRA with a title that goes on and on " * 2, 0.8)}
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.goto(Report(write_comparison(folder, methods=methods), folder).file.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    for cell in opened.locator(".comparison tbody tr td:nth-child(2)").all():
        box = cell.bounding_box()
        assert box["x"] + box["width"] <= width
    opened.close()


_CONTRASTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const lum = (colour) => parts(colour).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *:not(svg *)")]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .filter((one) => one.checkVisibility() && !["SCRIPT", "STYLE", "NOSCRIPT"].includes(one.tagName))
    .map((one) => {
      const [low, high] = [lum(getComputedStyle(one).color), lum(behind(one))].sort((a, b) => a - b);
      return [one.tagName, one.className, one.textContent.slice(0, 30), (high + 0.05) / (low + 0.05)];
    })
    .filter(([, , , contrast]) => contrast < 4.5);
}"""
"""Every element with text of its own whose contrast is under WCAG's AA."""


def test_all_that_can_be_used_can_be_reached_and_has_a_name(opened: Any) -> None:
    nameless = opened.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, [role=region], [role=img]")]
          .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim()))
          .map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    assert opened.evaluate("document.documentElement.lang") == "en"
    assert opened.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((one) => one.tagName)[0]") == "H1"
    ids = opened.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_paper_is_light_and_open(browser: Any, report: Report) -> None:
    context = browser.new_context(color_scheme="dark")
    opened = context.new_page()
    opened.goto(report.file.as_uri())
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not opened.locator("#limits").is_visible()
    swatch = opened.locator(".comparison .swatch").first
    assert swatch.evaluate("one => getComputedStyle(one).printColorAdjust") == "exact"
    opened.set_viewport_size({"width": 703, "height": 1000})  # of A4 within its margins
    for heading in opened.locator(".comparison tbody th").all():
        assert heading.bounding_box()["height"] < 42, "a title on one line, its name below"
    table = opened.locator(".comparison")
    assert table.evaluate("one => one.scrollWidth - one.parentElement.clientWidth") <= 0, "the table fits the sheet"
    printed = opened.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    context.close()
