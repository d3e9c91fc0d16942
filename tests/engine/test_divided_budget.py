"""What one of several devices holds, and on how many a network that does not fit one is trained."""

import pytest

from showdown.core.spec import SharedProtocol
from showdown.engine.budget import Demand, Shape
from showdown.engine.parallel.budget import copied, divided, may_be_divided
from showdown.stages.memory_plan import ArmNeeds, gpu_offers, needs_of_one, settings_together, worthwhile_devices

THIRTEEN = Shape(layers=40, hidden=5120, inner=13824, queries=5120, keys=5120)
"""Llama-2-13B's."""


def full(weights_gb: float = 26.0, **more: object) -> Demand:
    """Full fine-tuning in bfloat16, moments too."""
    weights = weights_gb * 1e9
    return Demand(
        weight_bytes=weights, gradient_bytes=weights, optimizer_bytes=2 * weights, trains_backbone=True,
        may_step_in_backward=False, **more,
    )  # fmt: skip


def adapters(weights_gb: float) -> Demand:
    return Demand(weight_bytes=weights_gb * 1e9, gradient_bytes=4e7, optimizer_bytes=1e8, trains_backbone=False)


def needs(demand: Demand, shape: Shape = THIRTEEN, **protocol: object) -> ArmNeeds:
    settings = SharedProtocol.model_validate({"effective_batch_rows": 16, "memory": "speed", **protocol})
    return ArmNeeds(shape=shape, demand=demand, protocol=settings, lengths=[400] * 64)


def test_weights_gradients_and_moments_are_divided_and_two_layers_pass() -> None:
    held, layer = divided(THIRTEEN, full(), 2), 26e9 / 40
    assert held.weight_bytes == pytest.approx(13e9 + 4 * layer)
    assert (held.gradient_bytes, held.optimizer_bytes) == (13e9, 26e9)


def test_adapters_are_not_divided_but_what_they_stand_beside_is() -> None:
    held = divided(THIRTEEN, adapters(26.0), 4)
    assert held.weight_bytes == pytest.approx(26e9 / 4 + 2 * 26e9 / 40)
    assert (held.gradient_bytes, held.optimizer_bytes) == (4e7, 1e8)


def test_a_copy_divides_the_optimizer_alone() -> None:
    held = copied(full(14.0), 2)
    assert (held.weight_bytes, held.gradient_bytes, held.optimizer_bytes) == (14e9, 14e9, 14e9)
    assert copied(adapters(14.0), 2) == adapters(14.0)


@pytest.mark.parametrize("why", ["padded", "four_bit", "moments_on_host"])
def test_some_networks_cannot_be_divided(why: str) -> None:
    assert may_be_divided(full())
    assert not may_be_divided(full(**{why: True}))
    assert settings_together({"full": needs(full(**{why: True}))}, 84.0) == {"full": {}}


def test_an_arm_that_does_not_fit_gets_the_fewest_gpus_that_hold_it() -> None:
    (two,), (four,) = (settings_together({"full": needs(full(size))}, 84.0)["full"].values() for size in (26.0, 50.0))
    assert (two.devices, two.divided) == (2, True)
    assert (four.devices, four.divided) == (4, True)
    assert two.expected_peak_gb is not None and 52 < two.expected_peak_gb < 77
    assert two.micro_batch_rows <= 8  # of 16 rows, each device has its half


def test_where_there_is_one_gpu_an_arm_that_is_counted_too_large_is_tried_all_the_same() -> None:
    both = gpu_offers({"lora": needs(adapters(14.0)), "full": needs(full())}, 84.0).alone
    assert {one.devices for one in both.values()} == {1}


def test_an_arm_that_must_be_divided_does_not_bind_the_others() -> None:
    """Nothing that it could be given on one GPU would fit; an arm that cannot be divided either binds them still."""
    lora = needs(adapters(14.0))
    (alone,) = gpu_offers({"lora": lora}, 84.0).alone.values()
    assert (alone.micro_batch_rows, alone.recompute) == (16, False)
    assert gpu_offers({"lora": lora, "full": needs(full())}, 84.0).alone["lora"] == alone
    bound = gpu_offers({"lora": lora, "full": needs(full(padded=True))}, 84.0).alone["lora"]
    assert (bound.micro_batch_rows, bound.recompute) != (16, False)


def test_several_gpus_are_planned_for_what_fits_one() -> None:
    found = settings_together({"lora": needs(adapters(14.0))}, 84.0)["lora"]
    assert {devices: one.devices for devices, one in found.items()} == {n: n for n in (2, 4, 8, 16, 32, 64)}
    assert not any(one.divided for one in found.values())
    assert [found[n].micro_batch_rows for n in (2, 4, 8)] == [8, 4, 2]


def test_a_small_network_is_not_divided_into_steps_that_wait_for_the_host() -> None:
    """8 layers of 1,024 took 3.3 s on one GPU and 7.5 s on two, at 16 rows of 400 tokens a step."""
    small = Shape(layers=8, hidden=1024, inner=2816, queries=1024, keys=256)
    assert worthwhile_devices(needs(adapters(0.2), small)) == 1
    assert worthwhile_devices(needs(adapters(14.0))) == 4


def test_what_one_device_needs_is_what_it_was_planned_with() -> None:
    arm = needs(full())
    (settings,) = settings_together({"full": arm}, 84.0)["full"].values()
    one = needs_of_one(arm, settings)
    assert one.demand == divided(THIRTEEN, full(), 2)
    assert one.protocol.effective_batch_rows == 8
    assert needs_of_one(arm, gpu_offers({"full": arm}, 84.0).alone["full"]) == arm
