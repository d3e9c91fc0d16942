"""Killed at every point where a file is written, a comparison finishes with the results of one that was left alone."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.volume import of_all
from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison
from tiny_pretrained import separable_rows, write_csv

SHARDS = 8
"""Parts of all points, each spread over the whole run: one every day, all by `make faults`."""
LAB = Path(__file__).with_name("kill_lab.py")
SAME = ("status", "accuracy", "f1_macro", "f1_weighted", "validation_f1_macro", "confusion_matrix", "per_class")


class Lab:
    """Asks the process that carries out comparisons."""

    def __init__(self, comparison: dict[str, Any]) -> None:
        self.comparison = comparison
        self.process = subprocess.Popen(
            [sys.executable, str(LAB)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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


@dataclass(frozen=True)
class Outcome:
    """What must be equal, and what tells whether a run was done again."""

    scores: dict[str, dict[str, Any]]
    files: dict[str, str]

    @classmethod
    def of(cls, output: Path) -> "Outcome":
        results = Results.model_validate_json((output / "results.json").read_bytes())
        kept = [*output.glob("runs/*/predictions.csv"), *output.glob("runs/*/curve.json")]
        kept += output.glob("runs/*/artifact/*.safetensors")
        states = [(run.name, run.status, run.error) for run in results.runs]
        assert len(kept) == 4, states  # two predictions files, the curve and the weights of LoRA
        return cls(
            scores={run.name: {key: run.model_dump()[key] for key in SAME} for run in results.runs},
            files={str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept},
        )


def finished_runs(output: Path) -> dict[str, bytes]:
    """Records of runs that are done, by the name of their row."""
    found = {}
    for path in output.glob("runs/*/result.json"):
        record = RunRecord.model_validate_json(path.read_bytes())  # never half a file
        found[record.name] = path.read_bytes()
    return found


def comparison_of(pretrained: Callable[[str], Path], folder: Path) -> dict[str, Any]:
    """TF-IDF and LoRA on 18 rows, with a checkpoint at every step."""
    source = write_csv(folder / "rows.csv", separable_rows(18))
    comparison = Comparison.model_validate(
        {
            "data": {"source": str(source), "near_duplicate_jaccard": 0.99},
            "model": {"id": str(pretrained("bert"))},
            "methods": {"tfidf": {}, "lora": {"learning_rate": 0.01}},
            "seeds": [0],
            "protocol": {
                "split": {"kind": "single", "train": 0.5, "validation": 0.25, "test": 0.25},
                "epochs": 2,
                "patience_epochs": None,
                "tuning": None,
                "effective_batch_rows": 6,
                "checkpoint_every_steps": 1,
            },
        }
    )
    return comparison.model_dump(mode="json")


@pytest.fixture(scope="module")
def lab(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(comparison_of(pretrained, tmp_path_factory.mktemp("rows")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def left_alone(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A comparison that nobody disturbed: its folder, and the number of points where it can be killed."""
    output = tmp_path_factory.mktemp("alone") / "out"
    answer = lab.run(output)
    assert (answer["message"], answer["started"]) == (None, ["tfidf", "lora"])
    return output, answer["points"]


@pytest.mark.timeout(1800)  # kills and as many new starts: a minute, and more on a busy machine
@pytest.mark.parametrize("shard", range(of_all(SHARDS)))
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


@pytest.mark.parametrize("cut", ["empty", "one byte", "half", "all but one byte"])
@pytest.mark.parametrize(
    "name", ["result.json", "train.json", "score.json", "results.json", "artifact", "rows", "predictions.csv"]
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


@pytest.mark.parametrize("model", ["kept", "removed"])
@pytest.mark.parametrize("lost", ["cut", "missing"])
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


@pytest.mark.parametrize("largest", [100, 3_000, 30_000])
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
