"""How many GPUs train a run together, and what that costs and is measured by."""

from types import SimpleNamespace
from typing import Any

import pytest

from showdown.core.memory import MemorySettings
from showdown.measure.system import GpuMeters, GpuReading
from showdown.stages.devices import DevicesOfRuns, Offers, devices_of_runs

ALONE = MemorySettings(micro_batch_rows=8, recompute=False)
TOGETHER = {n: ALONE.model_copy(update={"devices": n}) for n in (2, 4)}
DIVIDED = {4: ALONE.model_copy(update={"devices": 4, "divided": True})}


@pytest.mark.parametrize(
    ("left", "slots", "room"), [(1, 2, 2), (2, 2, 1), (1, 8, 8), (3, 8, 2), (2, 7, 3), (0, 8, 1), (5, 2, 1)]
)
def test_several_train_together_where_fewer_runs_than_gpus_are_left(left: int, slots: int, room: int) -> None:
    found = devices_of_runs(left, slots=slots, gpus_per_run="auto", deterministic=False)
    assert (found.room, found.asked) == (room, None)


def test_runs_that_must_give_the_same_numbers_stay_on_one() -> None:
    assert devices_of_runs(1, slots=8, gpus_per_run="auto", deterministic=True).room == 1


@pytest.mark.parametrize(
    ("options", "worthwhile", "slots", "room", "asked", "found"),
    [
        ({}, 8, 4, 4, None, ALONE),
        (TOGETHER, 8, 4, 1, None, ALONE),
        (TOGETHER, 8, 4, 4, None, TOGETHER[4]),
        (TOGETHER, 8, 7, 3, None, TOGETHER[2]),
        (TOGETHER, 3, 8, 8, None, TOGETHER[2]),  # with four, each would wait for its host
        (TOGETHER, 1, 8, 8, None, ALONE),
        (TOGETHER, 1, 8, 1, 2, TOGETHER[2]),  # who asks for two gets two
        (TOGETHER, 8, 8, 8, 1, ALONE),
        (TOGETHER, 8, 3, 1, 4, TOGETHER[2]),  # as many as there are
        (DIVIDED, 1, 4, 1, None, DIVIDED[4]),  # it does not fit one, however many runs are left
        (DIVIDED, 8, 2, 2, None, ALONE),  # there are too few: it is tried on one
        (DIVIDED, 8, 8, 8, 2, ALONE),
    ],
)
def test_how_many_train_a_run(
    options: dict[int, MemorySettings], worthwhile: int, slots: int, room: int, asked: int | None, found: MemorySettings
) -> None:
    offers = Offers(alone={"lora": ALONE}, together={"lora": options}, worthwhile={"lora": worthwhile})
    assert DevicesOfRuns(slots=slots, room=room, asked=asked).settings("lora", offers) == found


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
