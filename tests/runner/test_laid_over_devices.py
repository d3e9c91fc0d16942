"""How runs are laid over devices: the real schedule, with seconds of a forecast."""

import pytest

from forecasts import arm
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.runner.spread import spread, stage_of


def runs(*names: str, seeds: int = 1, fraction: float = 1.0) -> list[RunSpec]:
    return [
        RunSpec(
            name=name,
            method="majority" if name.startswith("quick") else "lora",
            settings={},
            model=ModelSpec(),
            protocol=SharedProtocol(),
            seed=seed,
            train_fraction=fraction,
            data_fingerprint="f" * 64,
        )
        for name in names
        for seed in range(seeds)
    ]


def test_one_device_takes_the_sum_and_each_end_its_own() -> None:
    found = spread(runs("a", "b", seeds=2), [arm("a"), arm("b")], devices=1, share=False)
    assert (found.low, found.expected, found.high) == (120.0, 240.0, 480.0)


def test_several_devices_take_the_longest_runs_first() -> None:
    """In the order of the table the long run would start last, and end after 60 + 120 s."""
    arms = [arm("a"), arm("b"), arm("long", seconds={"training": 120.0})]
    assert spread(runs("a", "b", "long"), arms, devices=2, share=False).expected == 120.0


def test_more_devices_than_runs_do_not_help() -> None:
    assert spread(runs("a", "b"), [arm("a"), arm("b")], devices=8, share=False).expected == 60.0


def test_runs_that_share_a_network_load_it_once_on_each_device() -> None:
    """They are scored on it, too."""
    arms = [arm("a", seconds={"loading": 10.0, "training": 60.0, "reloading": 12.0, "prediction": 5.0})]
    specs = runs("a", seeds=3)
    assert spread(specs, arms, devices=1, share=False).expected == 3 * 87.0
    assert spread(specs, arms, devices=1, share=True).expected == 10.0 + 3 * 65.0
    both = spread(specs, arms, devices=2, share=True).expected
    assert both == 10.0 + 2 * 65.0, "one device does two of them, both load"


def test_a_part_of_the_rows_trains_for_a_part_of_the_time() -> None:
    arms = [arm("a", seconds={"tuning": 100.0, "training": 60.0, "prediction": 5.0})]
    assert spread(runs("a", fraction=0.5), arms, devices=1, share=False).expected == 50.0 + 30.0 + 5.0


@pytest.mark.parametrize(
    ("phase", "stage"),
    [("tuning", "tune"), ("tuning, trial 3", "tune"), ("validation", "train"), ("start of scoring", "score")],
)
def test_every_phase_has_its_stage(phase: str, stage: str) -> None:
    assert stage_of(phase) == stage


def test_a_run_of_several_devices_has_them_to_itself() -> None:
    """Beside one device that is busy for 60 s it waits for the other; those that come later wait behind it."""
    long, both = arm("long", seconds={"training": 100.0}), arm("both").model_copy(update={"devices": 2})
    assert spread(runs("both"), [both], devices=2, share=False).expected == 60.0
    assert spread(runs("both", "long"), [both, long], devices=2, share=False).expected == 160.0
    quick = [arm(name, seconds={"training": 10.0}) for name in ("c", "d")]
    assert spread(runs("both", "long", "c", "d"), [both, long, *quick], devices=2, share=False).expected == 170.0
