"""The comparison of all methods, and the page that shows what it found."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from finished_folder import finished_folder
from showdown import load
from showdown.config.read import read_comparison
from showdown.core.files import write_json
from showdown.methods.table import METHODS, method_class
from showdown.stages.results import TuneStage
from showdown.training.search import Trial

ROOT = Path(__file__).parent.parent
ZOO: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "zoo.py"), run_name="zoo")
NOT_THERE = {"few-shot": "needs a causal language model"}


def test_every_method_that_sorts_texts_is_in_the_zoo() -> None:
    sorting = [name for name in METHODS if "classification" in method_class(name).tasks]
    arms = read_comparison(ROOT / "comparisons" / "zoo.yaml", base={}, overrides=[]).methods
    used = [settings.get("method", row) for row, settings in arms.items()]
    assert set(sorting) - NOT_THERE.keys() <= set(used), "add the method to comparisons/zoo.yaml"


@pytest.mark.parametrize(
    ("different", "groups"),
    [
        ([], ["abcd"]),
        ([("a", "d")], ["abc", "bcd"]),
        ([("a", "c"), ("a", "d"), ("b", "d")], ["ab", "bc", "cd"]),
        ([("a", "b"), ("a", "c"), ("a", "d")], ["a", "bcd"]),
        ([("c", "b")], ["abd", "acd"]),
    ],
)
def test_no_two_of_a_group_differ_and_all_others_share_one(different: list[tuple[str, str]], groups: list[str]) -> None:
    found = ZOO["told_together"]("abcd", different)
    assert ["".join(group) for group in found] == groups
    for first, second in different:
        assert not any({first, second} <= set(group) for group in found)


def test_the_board_of_peft_is_in_its_order() -> None:
    accuracies = [one.accuracy for one in ZOO["BOARD"]]
    assert accuracies == sorted(accuracies, reverse=True)


def test_rates_are_multiples_of_the_default_and_the_chosen_one_is_named(tmp_path: Path) -> None:
    output = finished_folder(tmp_path / "out", {"lora": None})
    results = load(output)
    for run, chosen in zip(results.runs, (0.0018, 0.005692), strict=False):
        trials = [(0.0018, 0.5), (0.000569, 0.25), (0.005692, None)]
        write_json(output / "runs" / run.run_id / "tune.json", tune_stage(chosen, trials).model_dump(by_alias=True))
    lines = ZOO["rates"](output, results).splitlines()
    assert "| lora | 0.0018 | 0.25 | 0.50 | 0.00 | 1" in lines[-1]


def tune_stage(chosen: float, trials: list[tuple[float, float | None]]) -> TuneStage:
    """Return a search that tried these rates, each with its score."""
    return TuneStage(
        learning_rate=chosen,
        low=0.0001,
        high=0.01,
        epochs=6,
        trials=[
            Trial(
                number=number,
                learning_rate=rate,
                origin="grid",
                state="diverged" if score is None else "completed",
                converged=None if score is None else False,
                metric_by_epoch=[],
                loss_by_epoch=[],
                metric=score,
                loss=score,
                score=score,
                seconds=1.0,
            )
            for number, (rate, score) in enumerate(trials)
        ],
        seconds=3.0,
        phases=[],
        notes=[],
    )


def test_the_page_keeps_what_stands_before_and_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = finished_folder(tmp_path / "out", {"tfidf": None, "lora": None})
    page = tmp_path / "methods.md"
    page.write_text("# Methods\n\nA list.\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["zoo.py", str(output), str(page)])
    ZOO["main"]()
    once = page.read_text(encoding="utf-8")
    ZOO["main"]()
    assert page.read_text(encoding="utf-8") == once
    assert once.startswith(f"# Methods\n\nA list.\n\n{ZOO['TITLE']}\n")
    assert (
        "| lora | lora, rank 32 | 0.15.2.dev0, 2025-06-19 | 48.2 | 22.3 | 1796 | 1.00 | 1.00 | 5 | no score |" in once
    )
