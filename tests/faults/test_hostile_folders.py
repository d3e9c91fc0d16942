"""A results folder from elsewhere: every command that reads it says what is wrong in one line, or reports it.

`make faults` bends two thousand folders; the tests of every day a part of them.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from faults.bent_results import VALUES, bent, whole_results
from faults.volume import of_all
from forked_cli import showdown
from showdown import api
from showdown.core.errors import UserError
from showdown.core.files import write_json, write_text
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.record import Results
from showdown.report.formats import write_report
from showdown.trackers.entry import entry_of, summary_of
from showdown.verdict.model import Verdict
from showdown.watch.state import Watched

FORMATS = ("markdown", "csv", "latex")
"""Those that take milliseconds; they read the same table as the others."""
SLOW_FORMATS = ("html", "paper", "figures")


def read_everything(folder: Path) -> tuple[Results, Verdict] | None:
    """Read and judge a folder as the commands do; None where it is refused in one line."""
    json.dumps(Watched(folder).state(), allow_nan=False)
    try:
        return api.load(folder), api.judge(folder)
    except UserError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 2600
        return None


def report_all(folder: Path, results: Results, verdict: Verdict, formats: tuple[str, ...]) -> None:
    for form in formats:
        try:
            write_report(form, results, verdict, folder)
        except UserError as error:
            assert "\n" not in str(error)
    for run in results.runs:
        entry_of(run, folder)
    summary_of(verdict, results.runs, folder)


@pytest.mark.parametrize("task", [CLASSIFICATION, GENERATION])
@pytest.mark.parametrize("part", range(of_all(20)))
def test_bent_results_are_reported_or_refused(tmp_path: Path, part: int, task: str) -> None:
    folder = tmp_path / "out"
    whole = whole_results(folder, task)
    reported = refused = 0
    count = 100 if of_all(2) == 2 or task == CLASSIFICATION else 40
    for said, results in bent(whole, count, seed=part):
        write_text(folder / "results.json", json.dumps(results, ensure_ascii=True))
        try:
            found = read_everything(folder)
            if found:
                report_all(folder, *found, FORMATS)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} after: {said}") from error
        reported += found is not None
        refused += found is None
    assert refused > 0.5 * count
    assert reported > 0.05 * count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("part", range(of_all(10)))
@pytest.mark.parametrize(
    ("name", "task"), [("curve_file", CLASSIFICATION), ("system_file", CLASSIFICATION), ("curve_file", GENERATION)]
)
def test_bent_curves_and_samples_are_reported_without_them(tmp_path: Path, name: str, task: str, part: int) -> None:
    folder = tmp_path / "out"
    whole = whole_results(folder, task)
    write_json(folder / "results.json", whole)
    path = folder / whole["runs"][-1][name]
    text, draw = path.read_text(), random.Random(part)
    for turn in range(6):
        bent_text = text
        for _ in range(draw.randint(1, 3)):
            start = draw.randrange(len(bent_text))
            piece = json.dumps(draw.choice(VALUES)) if draw.random() < 0.7 else draw.choice('[]{}",:\n\0')
            bent_text = bent_text[:start] + piece + bent_text[start + draw.choice((0, 1, 3, 8)) :]
        path.write_text(bent_text, encoding="utf-8", errors="surrogatepass")
        found = read_everything(folder)
        assert found
        try:
            report_all(folder, *found, ("figures",) if turn == 0 else ())
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} of: {bent_text}") from error


@pytest.mark.parametrize("task", [CLASSIFICATION, GENERATION][: of_all(2)])
@pytest.mark.parametrize("part", range(of_all(4)))
def test_bent_results_are_drawn_and_set_or_refused(tmp_path: Path, part: int, task: str) -> None:
    """The formats that draw: their own place for what is odd."""
    folder = tmp_path / "out"
    whole = whole_results(folder, task)
    for said, results in bent(whole, 12, seed=1000 + part):
        write_text(folder / "results.json", json.dumps(results, ensure_ascii=True))
        try:
            found = read_everything(folder)
            if found:
                report_all(folder, *found, SLOW_FORMATS)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} after: {said}") from error


PLANTED = ("results.json.partial", "report.md", "report.md.partial", "records.csv", "report", "runs/x", ".lock", "data")


def test_links_that_lead_outside_end_every_command_in_one_line(tmp_path: Path) -> None:
    """Nothing outside is read, written or removed, whatever name is planted."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    folder = tmp_path / "out"
    write_json(folder / "results.json", whole_results(folder))
    for number, name in enumerate(PLANTED):
        planted = folder / name
        planted.symlink_to(victim if number % 2 else victim / "mine")
        commands = [["report", "out", "--format", "csv"], ["predict", "out", "--method", "lora", "--text", "x"]]
        for arguments in commands[: 1 + (number == 0)]:
            found = showdown(*arguments, folder=tmp_path)
            assert found.returncode == 2, found
            (line,) = found.stderr.strip().splitlines()
            assert line == f"error: out/{name} is a link that leads outside out; remove it"
        for reads in (api.load, api.judge, lambda place: list(api.sync(place)), api.write_reports):
            with pytest.raises(UserError, match="leads outside"):
                reads(folder)
        planted.unlink()
    assert [path.name for path in victim.iterdir()] == ["mine"]
    assert (victim / "mine").read_text() == "mine"


ARTIFACTS: dict[str, Any] = {
    "too many labels": [0.1] * 9,
    "no labels": [],
    "words": ["a", "b", "c"],
    "a mapping": {"a": 1},
    "nesting": [[[[0.1]]]],
    "a number": 3,
}


@pytest.mark.parametrize("kind", ARTIFACTS)
def test_a_model_that_is_not_its_records_answers_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "out"
    whole = whole_results(folder)
    write_json(folder / "results.json", whole)
    artifact = folder / "runs" / whole["runs"][0]["run_id"] / "artifact"
    write_json(artifact / "shares.json", ARTIFACTS[kind])
    write_json(artifact / "manifest.json", {"shares.json": (artifact / "shares.json").stat().st_size})
    with pytest.raises(UserError, match="the saved model of `majority`") as caught:
        api.predict(folder, "majority", ["a text"])
    assert "\n" not in str(caught.value)
