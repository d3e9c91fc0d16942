"""init, data and doctor as a user meets them: what is written runs, and what is wrong is one line and code 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import showdown.doctor.examine
import showdown.doctor.fits
import showdown.doctor.measuring
from in_process import Says, in_process
from showdown.config.read import read_comparison
from showdown.core.errors import UserError
from showdown.doctor.check import Group, ok
from showdown.doctor.measuring import Measured
from tiny_pretrained import separable_rows, write_csv


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def showdown_says(capsys: pytest.CaptureFixture[str]) -> Says:
    return in_process(capsys)


def test_init_writes_a_comparison_that_is_read_as_it_stands(
    folder: Path, pretrained: Callable[[str], Path], showdown_says: Says
) -> None:
    write_csv(folder / "rows.csv", separable_rows(60))
    model = str(pretrained("bert"))
    code, said, _ = showdown_says("init", "rows.csv", "--model", model, "--set", "protocol.epochs=1")
    assert code == 0
    assert "60 rows read, 60 used" in said
    assert "columns: text `text`, label `label`" in said
    assert said.splitlines()[-1].startswith("written: rows.yaml; `showdown run rows.yaml` runs it")
    comparison = read_comparison(folder / "rows.yaml", base={}, overrides=())
    assert (comparison.name, comparison.model.id, comparison.data.source) == ("rows", model, "rows.csv")
    assert (comparison.data.text, comparison.data.label, comparison.protocol.epochs) == ("text", "label", 1)
    assert comparison.protocol.max_tokens == 32
    assert comparison.protocol.split.kind == "kfold"
    assert isinstance(comparison.seeds, list)
    assert set(comparison.methods) == {"majority", "tfidf", "zero-shot", "frozen", "full", "lora", "qlora"}
    text = (folder / "rows.yaml").read_text(encoding="utf-8")
    assert "# Forecast" in text
    assert "# every text is read whole" in text
    code, _, err = showdown_says("init", "rows.csv", "--model", model)
    assert (code, err) == (
        2,
        "error: rows.yaml is there already; --force replaces it, or name another file with --output\n",
    )
    assert (folder / "rows.yaml").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "name your data, as in `showdown init reviews.csv`; at a terminal it is asked for"),
        (["missing.csv"], "no file `missing.csv`; check the path"),
        (["rows.csv", "--hub", "a/b"], "give either rows.csv or --hub a/b"),
        (["rows.csv", "--output", "x.txt"], "--output x.txt: name a file that ends in .yaml"),
        (["rows.csv", "--hours", "0"], "--hours 0: give a number above 0"),
        (["mine.yaml"], "mine.yaml is a comparison already: `showdown run mine.yaml` runs it"),
        (["rows.csv", "--text", "nothing"], "rows.csv: "),
        (["rows.csv", "--model", "./nowhere"], "model `./nowhere`: "),
    ],
)
def test_init_refuses_in_one_line(folder: Path, arguments: list[str], line: str, showdown_says: Says) -> None:
    write_csv(folder / "rows.csv", separable_rows(30))
    code, _, err = showdown_says("init", *arguments)
    assert code == 2
    assert err.startswith(f"error: {line}")
    assert err.count("\n") == 1
    assert not list(folder.glob("*.yaml"))


def test_init_asks_at_a_terminal_for_what_is_missing(
    folder: Path, showdown_says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "unclear.csv").write_text("x,y,z\naa,b,c\ndd,e,f\n", encoding="utf-8")
    answers = iter(["1", "", "x", "z", ""])
    begun: dict[str, Any] = {}

    def init(source: str, **given: Any) -> Any:
        begun.update(given, source=source)
        return type("Begun", (), {"lines": ("done",)})

    monkeypatch.setattr("showdown.commands.start.can_ask", lambda: True)
    monkeypatch.setattr("showdown.commands.start.ask", lambda question: next(answers))
    monkeypatch.setattr("showdown.api.init", init)
    code, said, _ = showdown_says("init")
    assert code == 0
    assert said.splitlines()[-1] == "done"
    assert begun["source"] == "unclear.csv"
    assert begun["overrides"] == [
        'task="classification"',
        'data.text="x"',
        'data.label="z"',
        'model.id="all-minilm-l6-v2"',
    ]


def test_data_lists_and_refuses(folder: Path, showdown_says: Says) -> None:
    code, said, _ = showdown_says("data")
    assert code == 0
    assert "study" in said
    code, _, err = showdown_says("data", "studi")
    assert (code, err) == (2, "error: no data set `studi`; did you mean `study`? `showdown data` lists them\n")


def test_doctor_prints_checks_and_what_fits(showdown_says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        showdown.doctor.examine, "examine", lambda: [Group(title="Machine", checks=[ok("disk", "much")])]
    )
    monkeypatch.setattr(showdown.doctor.fits, "fitting_lines", lambda: iter(["What fits"]))
    code, said, _ = showdown_says("doctor")
    assert code == 0
    assert said.splitlines() == [
        "Machine",
        "  ok    disk  much",
        "Everything that is needed here works",
        "",
        "What fits",
    ]
    assert showdown_says("doctor", "--force")[0] == 2
    assert showdown_says("doctor", "--report", "--measure")[0] == 2


@pytest.mark.parametrize("kept", [True, False])
def test_doctor_fails_where_rates_were_not_kept(
    kept: bool, showdown_says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Measured(kept=kept, lines=("busy",))
    monkeypatch.setattr(showdown.doctor.measuring, "measure_machine", lambda say, force: found)
    code, said, _ = showdown_says("doctor", "--measure")
    assert (code, said) == (0 if kept else 1, "busy\n")


def test_init_without_a_forecast_leaves_auto_and_says_so(
    folder: Path, pretrained: Callable[[str], Path], showdown_says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: object) -> None:
        raise UserError("no rates of the GPU `X` are known; `showdown doctor --measure` finds them")

    monkeypatch.setattr("showdown.start.begin.devices_here", unknown)
    write_csv(folder / "rows.csv", separable_rows(60))
    code, said, _ = showdown_says("init", "rows.csv", "--model", str(pretrained("bert")), "--output", "new/mine.yaml")
    assert code == 0
    assert "no forecast: no rates of the GPU `X` are known" in said
    comparison = read_comparison(folder / "new" / "mine.yaml", base={}, overrides=())
    assert (comparison.protocol.split.kind, comparison.protocol.tuning, comparison.seeds) == ("auto", "auto", "auto")
    assert comparison.protocol.max_tokens == 32
    text = (folder / "new" / "mine.yaml").read_text(encoding="utf-8")
    assert "Nothing is left out for memory or time" in " ".join(text.replace("\n# ", " ").split())
