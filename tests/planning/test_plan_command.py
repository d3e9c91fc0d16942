"""`showdown plan` as a user meets it: a table, JSON, one line for bad input. What is forecast is made up here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from forecasts import arm
from showdown.cli import main
from showdown.forecast import fixes
from showdown.runner import foresee
from tiny_pretrained import separable_rows, write_csv


@pytest.fixture
def place(pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rows and a configuration without weights or tokenizer, to which commands are given."""
    write_csv(tmp_path / "rows.csv", separable_rows(60))
    shutil.copy(pretrained("bert") / "config.json", tmp_path / "tiny.json")
    arms = [
        arm("tfidf", seconds={"training": 2.0}),
        arm("full", peak_gb=110.0, fits=False, seconds={"training": 90.0, "validation": 9.0, "prediction": 5.0}),
        arm("lora", peak_gb=20.0, seconds={"tuning": 200.0, "training": 50.0}),
    ]
    monkeypatch.setattr(foresee, "forecast_arms", lambda workload, profile, devices: arms)
    monkeypatch.setattr(fixes, "peaks", lambda workload, profile: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def showdown(*arguments: str) -> int:
    with pytest.raises(SystemExit) as found:
        main(["plan", *arguments])
    return int(found.value.code or 0)


ASKED = ("rows.csv", "--model", "tiny.json", "--methods", "tfidf,full,lora", "--set", "protocol.split.kind=single")


def test_a_table_says_what_fits_and_what_all_takes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert showdown(*ASKED, "--gpu", "h100", "--gpus", "2", "--price-per-hour", "3", "--budget", "5") == 0
    found = capsys.readouterr().out
    lines = {line.split()[0]: line.split() for line in found.splitlines() if line.strip()}
    assert "full cannot fit. What would: nothing that was tried" in found
    assert lines["lora"][1:5] == ["yes", "18.2", "to", "22"]
    assert "on 2 x NVIDIA H100" in found
    assert "at 3 an hour" in found
    assert "tokens: estimated" in found
    assert "Budget: 5" in found
    assert "Left undecided" in found
    assert [path.name for path in place.iterdir() if path.name not in ("rows.csv", "tiny.json")] == [], (
        "nothing is written"
    )


def test_json_has_all_of_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert showdown(*ASKED, "--gpu", "h100", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "tiny.json"
    assert [one["name"] for one in found["forecast"]["arms"]] == ["tfidf", "full", "lora"]
    assert found["forecast"]["currency"] == "US dollars"
    assert found["budget"] is None
    assert sum(found["rows"].values()) == 60


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--gpu", "h101"], "`h101`"),
        (["--gpu", "h100", "--gpus", "0"], "--gpus 0"),
        (["--gpu", "h100", "--price-per-hour", "-1"], "--price-per-hour -1: give 0 or more"),
        (["--gpu", "h100", "--budget", "0"], "--budget 0: give an amount above 0"),
        (["--gpu", "h100", "--model", "nothing.json"], "nothing.json"),
        (["--gpu", "h100", "--model", "nobody/no-such-model"], "no-such-model"),
        (["--gpu", "h100", "--set", "data.source=nothing.csv"], "nothing.csv"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    place: Path, capsys: pytest.CaptureFixture[str], more: list[str], why: str
) -> None:
    assert showdown(*ASKED, *more) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert why in line


def test_without_a_target_and_without_a_past(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert showdown() == 2
    assert "name what is to be planned" in capsys.readouterr().err
    assert showdown("--history") == 0
    assert "no forecast has been compared with a run yet" in capsys.readouterr().out
    assert showdown("--history", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
