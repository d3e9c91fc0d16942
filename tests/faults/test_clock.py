"""A clock that jumps, by hours and both ways: no time that is measured or waited for is of the wall clock."""

import ast
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import showdown
from runner.kill_cases import Outcome, comparison_of
from runner.test_kills import Lab
from showdown.core.record import Results
from showdown.core.samples import read_samples

WALL_CLOCK = {"time", "time_ns", "localtime", "gmtime", "strftime", "ctime"}
ALLOWED = {"measure/system.py": 1, "forecast/measure.py": 1, "runner/history.py": 1}
"""The age of a process where the system has no monotonic one to offer (not Linux): it is at least 0. The others are the
day of a measurement, which is shown and never counted with."""


@pytest.fixture(scope="module")
def lab(pretrained: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(comparison_of(pretrained, tmp_path_factory.mktemp("rows")))
    yield made
    made.close()


@pytest.mark.long
def test_a_run_is_the_same_whatever_the_clock_shows(lab: Lab, tmp_path: Path) -> None:
    assert lab.run(tmp_path / "steady")["message"] is None
    began = time.monotonic()
    assert lab.run(tmp_path / "jumping", clock_jumps=True)["message"] is None
    seconds = time.monotonic() - began
    assert Outcome.of(tmp_path / "jumping") == Outcome.of(tmp_path / "steady")
    for run in Results.model_validate_json((tmp_path / "jumping" / "results.json").read_bytes()).runs:
        spent = [phase.seconds for phase in run.phases if not phase.name.startswith("start")]
        assert 0 < sum(spent) <= seconds
        assert min(spent) >= 0
        sampled = [sample.seconds for sample in read_samples(tmp_path / "jumping" / str(run.system_file))]
        assert sampled == sorted(sampled)
        assert all(0 <= moment <= seconds for moment in sampled)


@pytest.mark.long
def test_a_run_goes_on_and_its_lock_is_waited_for_whatever_the_clock_shows(lab: Lab, tmp_path: Path) -> None:
    """Killed under one clock and continued under another."""
    assert lab.run(tmp_path / "steady")["message"] is None
    assert lab.run(tmp_path / "killed", kill_at=30, clock_jumps=True)["killed"]
    assert lab.run(tmp_path / "killed", clock_jumps=True)["message"] is None
    assert Outcome.of(tmp_path / "killed") == Outcome.of(tmp_path / "steady")


@pytest.mark.long
@pytest.mark.parametrize("jumps", [False, True])
def test_the_seconds_that_are_allowed_are_those_that_pass(lab: Lab, tmp_path: Path, jumps: bool) -> None:
    """A clock that shows a day more ends no training; with no second allowed it ends at once."""
    allowed = json.loads(json.dumps(lab.comparison))
    for seconds, stopped in ((3600.0, "cap"), (1e-6, "seconds")):
        allowed["protocol"]["max_seconds"] = seconds
        output = tmp_path / stopped
        assert lab.run(output, comparison=allowed, clock_jumps=jumps)["message"] is None
        runs = Results.model_validate_json((output / "results.json").read_bytes()).runs
        (found,) = [run.convergence.stopped for run in runs if run.convergence]
        assert found == stopped


def wall_clocks(tree: ast.AST) -> int:
    """Count the looks at the wall clock."""
    return sum(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (
            (node.value.id == "time" and node.attr in WALL_CLOCK)
            or (node.value.id in ("datetime", "date") and node.attr in ("now", "utcnow", "today"))
        )
        for node in ast.walk(tree)
    )


def test_no_module_looks_at_the_wall_clock() -> None:
    root = Path(showdown.__file__).parent
    found = {
        str(path.relative_to(root)): wall_clocks(ast.parse(path.read_text("utf-8"))) for path in root.rglob("*.py")
    }
    assert {path: count for path, count in found.items() if count} == ALLOWED
    assert wall_clocks(ast.parse("import time\ntime.time(), time.monotonic(), datetime.now()")) == 2
