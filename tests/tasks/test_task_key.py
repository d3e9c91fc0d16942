"""The key `task` of a comparison."""

import pytest

from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.tasks.table import TASKS, task_named


@pytest.mark.parametrize("name", TASKS)
def test_each_task_of_the_table_is_there_under_its_name(name: str) -> None:
    assert task_named(name).name == name
    assert check({"task": name, "methods": {"lora": {}}}, "a.yaml").task == name


def test_an_unknown_task_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"a\.yaml: task `clasification` unknown.*did you mean `classification`"):
        check({"task": "clasification", "methods": {"lora": {}}}, "a.yaml")


def run(**more: str) -> RunSpec:
    return RunSpec(
        name="lora", method="lora", settings={}, model=ModelSpec(), protocol=SharedProtocol(), seed=0,
        data_fingerprint="0" * 16, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_runs_of_before_there_were_tasks_keep_their_ids() -> None:
    assert run().run_id == run(task="classification").run_id
    assert run().run_id != run(task="generation").run_id
    assert run().run_id == OLD_ID


OLD_ID = "lora-s0-p0-b17772cc49"
"""As the version before the key gave it."""
