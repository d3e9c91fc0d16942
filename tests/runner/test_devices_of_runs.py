"""How many GPUs train a run together, and what that costs and is measured by."""

from types import SimpleNamespace
from typing import Any

import pytest

from showdown.core.memory import MemorySettings
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.measure.system import GpuMeters, GpuReading
from showdown.runner.memory import _devices, _planned

ALONE = MemorySettings(micro_batch_rows=8, recompute=False)
TOGETHER = {n: ALONE.model_copy(update={"devices": n}) for n in (2, 4)}
DIVIDED = {4: ALONE.model_copy(update={"devices": 4, "divided": True})}


def runs(count: int, *, deterministic: bool = False) -> list[RunSpec]:
    protocol = SharedProtocol(deterministic=deterministic)
    return [
        RunSpec(
            name="lora", method="lora", settings={}, model=ModelSpec(), protocol=protocol, seed=seed,
            data_fingerprint="f" * 64,
        )
        for seed in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("left", "slots", "together", "devices"),
    [
        (1, 2, "auto", 2), (2, 2, "auto", 1), (1, 8, "auto", 8), (3, 8, "auto", 2), (2, 7, "auto", 2),
        (0, 8, "auto", 1), (5, 8, 4, 4), (5, 2, 4, 2), (1, 8, 1, 1),
    ],
)  # fmt: skip
def test_several_train_together_where_fewer_runs_than_gpus_are_left(
    left: int, slots: int, together: Any, devices: int
) -> None:
    assert _devices(runs(left), slots, together) == devices


def test_runs_that_must_give_the_same_numbers_stay_on_one() -> None:
    assert _devices(runs(1, deterministic=True), 8, "auto") == 1


@pytest.mark.parametrize(
    ("options", "devices", "most", "found"),
    [
        ({}, 4, 4, ALONE),
        (TOGETHER, 1, 4, ALONE),
        (TOGETHER, 4, 4, TOGETHER[4]),
        (TOGETHER, 8, 8, ALONE),  # too few tokens for eight
        (DIVIDED, 1, 4, DIVIDED[4]),  # it does not fit one, however many runs are left
        (DIVIDED, 2, 2, ALONE),  # there are too few: it is tried on one
    ],
)
def test_what_does_not_fit_one_is_divided_where_there_are_enough(
    options: dict[int, MemorySettings], devices: int, most: int, found: MemorySettings
) -> None:
    plan: Any = SimpleNamespace(settings={"lora": ALONE}, together={"lora": options})
    assert _planned(runs(1)[0], plan, devices, most) == found


def test_gpus_that_work_together_are_measured_together() -> None:
    readings = [
        GpuReading(
            utilisation_percent=90.0, memory_gb=50.0, power_watts=600.0, temperature_c=60.0, energy_joules=1000.0
        ),
        GpuReading(
            utilisation_percent=70.0, memory_gb=55.0, power_watts=500.0, temperature_c=50.0, energy_joules=4000.0
        ),
    ]  # fmt: skip
    meters: list[Any] = [SimpleNamespace(read=lambda own, one=one: one, total_gb=lambda: 80.0) for one in readings]
    found = GpuMeters(meters).read(7)
    assert (found.utilisation_percent, found.temperature_c) == (80.0, 55.0)
    assert (found.memory_gb, found.power_watts, found.energy_joules) == (55.0, 1100.0, 5000.0)
    silent: Any = SimpleNamespace(read=lambda own: GpuReading(power_watts=1.0))
    assert GpuMeters([*meters, silent]).read().energy_joules is None
