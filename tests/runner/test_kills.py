"""Killed at every point where a file is written, a comparison finishes with the results of one that was left alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from faults.volume import of_all
from runner.kill_cases import FIRST, Outcome, comparison_of
from showdown.core.record import Results, RunRecord

SHARDS = 8
"""Parts of all points, each spread over the whole run: one every day, all by `make faults`."""
LAB = Path(__file__).with_name("kill_lab.py")
pytestmark = pytest.mark.long
TASKS = ("classification", "generation")
NAMED = {"steps.json": 2, "trials.json": 2, "predictions.csv": 2, "score.json": 2}
"""Files of a run that writes answers, and which writing of it is met by a kill: in the search for a prompt, in tuning,
when LoRA's answers are written, and when their scores are."""


class Lab:
    """Asks the process that carries out comparisons."""

    def __init__(self, comparison: dict[str, Any]) -> None:
        self.comparison = comparison
        self.first: str = FIRST[comparison["task"]]
        self.process = subprocess.Popen(
            [sys.executable, str(LAB), comparison["task"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, output: Path, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"output": str(output), "comparison": self.comparison, **request}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def finished_runs(output: Path) -> dict[str, bytes]:
    """Records of runs that are done, by the name of their row."""
    found = {}
    for path in output.glob("runs/*/result.json"):
        record = RunRecord.model_validate_json(path.read_bytes())  # never half a file
        found[record.name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def lab(
    request: pytest.FixtureRequest, pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    made = Lab(comparison_of(pretrained, tmp_path_factory.mktemp("rows"), request.param))
    yield made
    made.close()


@pytest.fixture(scope="module")
def left_alone(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A comparison that nobody disturbed: its folder, and the number of points where it can be killed."""
    output = tmp_path_factory.mktemp("alone") / "out"
    answer = lab.run(output)
    assert (answer["message"], answer["started"]) == (None, [lab.first, "lora"])
    return output, answer["points"]


def of_tasks(cases: Sequence[Sequence[object]], written: Sequence[Sequence[object]]) -> list[Any]:
    """Return the cases of both tasks: all of labels, and of written answers those given, or all by `make faults`."""
    chosen = {"classification": cases, "generation": cases if of_all(2) == 2 else written}
    return [pytest.param(task, *case) for task in TASKS for case in chosen[task]]


SHARDS_BY_TASK = of_tasks([(shard,) for shard in range(of_all(SHARDS))], [])


@pytest.mark.timeout(1800)  # kills and as many new starts: a minute, and more on a busy machine
@pytest.mark.parametrize(("lab", "shard"), SHARDS_BY_TASK, indirect=["lab"])
def test_a_kill_at_every_point(lab: Lab, left_alone: tuple[Path, int], tmp_path: Path, shard: int) -> None:
    alone, points = left_alone
    expected = Outcome.of(alone)
    assert points > 100
    for point in range(1 + shard, points + 1, SHARDS):
        output = tmp_path / f"killed-{point}"
        assert lab.run(output, kill_at=point)["killed"], point
        done = finished_runs(output)
        again = lab.run(output)
        assert again["message"] is None, (point, again)
        assert not set(again["started"]) & set(done), f"killed at {point}: a finished run was done again"
        assert all(finished_runs(output)[name] == record for name, record in done.items()), point
        assert Outcome.of(output) == expected, point
        assert not list(output.rglob("*.partial")), f"killed at {point}: a half-written file stays"
        shutil.rmtree(output)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("lab", ["generation"], indirect=True)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "steps.json" else pytest.mark.long) for name in NAMED]
)
def test_a_kill_where_answers_are_written(lab: Lab, left_alone: tuple[Path, int], tmp_path: Path, name: str) -> None:
    """What was judged, tried and trained before is not done again."""
    expected, output = Outcome.of(left_alone[0]), tmp_path / "out"
    assert lab.run(output, kill_before=[name, NAMED[name]])["killed"]
    kept = {
        path: path.read_bytes() for path in output.glob("runs/*/*.json") if path.name in ("tune.json", "train.json")
    }
    again = lab.run(output)
    assert again["message"] is None
    found = finished_runs(output)
    assert again["started"] == (["lora"] if name != "steps.json" else [lab.first, "lora"])
    assert all(path.read_bytes() == content for path, content in kept.items())
    notes = [note for run in found.values() for note in json.loads(run)["notes"]]
    resumed = {"steps.json": "search continued after 1 step", "trials.json": "tuning continued after 1 trial"}
    assert [note for note in notes if "continued after" in note] == ([resumed[name]] if name in resumed else [])
    assert Outcome.of(output) == expected
    assert not list(output.glob("runs/*/steps.json")), "nothing is left of a search that is over"


@pytest.mark.long
@pytest.mark.parametrize("lab", ["generation"], indirect=True)
def test_a_torn_journal_is_named_and_the_search_starts_again(
    lab: Lab, left_alone: tuple[Path, int], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert lab.run(output, kill_before=["steps.json", 3])["killed"]
    (torn,) = output.glob("runs/*/steps.json")
    torn.write_bytes(torn.read_bytes()[:40])
    again = lab.run(output)
    assert f"{torn} is damaged; the search starts again" in again["said"]
    assert Outcome.of(output) == Outcome.of(left_alone[0])


CUTS = ("empty", "one byte", "half", "all but one byte")
FILES = ("result.json", "train.json", "score.json", "results.json", "artifact", "rows", "predictions.csv")


@pytest.mark.parametrize(
    ("lab", "name", "cut"),
    of_tasks([(name, cut) for name in FILES for cut in CUTS], [("predictions.csv", "half")]),
    indirect=["lab"],
)
def test_a_torn_file_is_named_and_made_again(
    lab: Lab, left_alone: tuple[Path, int], tmp_path: Path, name: str, cut: str
) -> None:
    """Whatever of a comparison's files is cut short, the next call mends it."""
    output = tmp_path / "out"
    shutil.copytree(left_alone[0], output)
    expected = Outcome.of(output)
    run = next(output.glob("runs/lora-*"))
    torn = {
        "results.json": output / "results.json",
        "artifact": run / "artifact" / "adapter_model.safetensors",
        "rows": output / "data" / "processed" / "train.jsonl",
    }.get(name, run / name)
    content = torn.read_bytes()
    size = {"empty": 0, "one byte": 1, "half": len(content) // 2, "all but one byte": len(content) - 1}[cut]
    torn.write_bytes(content[:size])
    if name in ("train.json", "score.json", "artifact"):  # read only where the run is not finished
        (run / "result.json").unlink()
    again = lab.run(output)
    assert again["message"] is None
    assert Outcome.of(output) == expected
    whole = cut == "all but one byte" and torn.suffix == ".json"  # a newline at its end: nothing is lost
    redone = name in ("train.json", "score.json", "artifact", "predictions.csv")
    redone = redone or (name == "result.json" and not whole)
    assert again["started"] == (["lora"] if redone else [])
    if name in ("result.json", "train.json", "artifact", "predictions.csv") and not whole:
        assert any(str(torn) in line for line in again["said"]), again["said"]


@pytest.mark.parametrize(
    ("lab", "lost", "model"),
    of_tasks([(lost, model) for lost in ("cut", "missing") for model in ("kept", "removed")], []),
    indirect=["lab"],
)
def test_a_finished_run_without_its_predictions_is_scored_again(
    lab: Lab, left_alone: tuple[Path, int], tmp_path: Path, lost: str, model: str
) -> None:
    """From the saved model where that was kept, else it is trained again."""
    output = tmp_path / "out"
    shutil.copytree(left_alone[0], output)
    expected = Outcome.of(output)
    run = next(output.glob("runs/lora-*"))
    torn = run / "predictions.csv"
    trained = (run / "train.json").read_bytes()
    if lost == "cut":
        lines = torn.read_bytes().splitlines(keepends=True)
        torn.write_bytes(b"".join(lines[:-2]))  # whole lines are gone: nothing of it looks damaged
    else:
        torn.unlink()
    if model == "removed":
        shutil.rmtree(run / "artifact")
    again = lab.run(output)
    assert (again["message"], again["started"]) == (None, ["lora"])
    assert any(str(torn) in line and line.endswith("the run is scored again") for line in again["said"]), again["said"]
    assert ((run / "train.json").read_bytes() == trained) == (model == "kept")
    assert Outcome.of(output) == expected
    assert lab.run(output)["started"] == []


@pytest.mark.parametrize(("lab", "largest"), of_tasks([(100,), (3_000,), (30_000,)], [(3_000,)]), indirect=["lab"])
def test_a_full_disk_is_said_and_costs_no_finished_run(
    lab: Lab, left_alone: tuple[Path, int], tmp_path: Path, largest: int
) -> None:
    """Files cannot grow beyond a size; with room again, the same command finishes."""
    output = tmp_path / "out"
    full = lab.run(output, largest_file=largest)
    errors = [full["message"]]
    if (output / "results.json").exists():
        errors += [run.error for run in Results.model_validate_json((output / "results.json").read_bytes()).runs]
    said = [error for error in errors if error not in (None, "not run yet")]
    assert said
    assert all(error.startswith("Disk full: need ") and str(output) in error for error in said)
    done = finished_runs(output)
    again = lab.run(output)
    assert again["message"] is None
    assert not {name for name, record in done.items() if b'"completed"' in record} & set(again["started"])
    assert Outcome.of(output) == Outcome.of(left_alone[0])
