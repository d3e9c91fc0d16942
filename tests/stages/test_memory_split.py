"""The peak of a training taken apart: gradients count where they lay there."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from showdown.engine.parallel.group import Group
from showdown.engine.parallel.spread import Spread
from showdown.stages.train import _memory_split, _together
from showdown.training.loop import Progress

LEARNING = 1_000_000
GRADIENTS_GB = 0.004
HELD_GB = 0.004 + 0.008
"""Weights in float32 and AdamW's moments."""


def split(rest_gb: float, *, together: bool, in_backward: bool = False) -> Any:
    phase = SimpleNamespace(name="training", peak_allocated_gb=HELD_GB + rest_gb)
    step = SimpleNamespace(in_backward=in_backward, moments_on_host=False, rounding="float32", name="adamw")
    module = torch.nn.Linear(1000, LEARNING // 1000, bias=False)
    adapted = SimpleNamespace(
        module=module, step=step, spread=Spread(Group(), module), setup=SimpleNamespace(libraries_gb=0.0)
    )
    context = SimpleNamespace(clock=SimpleNamespace(phases=lambda: [phase]))
    return _memory_split(context, adapted, together=together)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rest_gb", "together", "gradients_gb", "activations_gb"),
    [
        (0.0076, True, GRADIENTS_GB, 0.0036),
        (0.0076, False, 0.0, 0.0076),
        (0.0042, False, GRADIENTS_GB, 0.0002),
        (0.0, False, GRADIENTS_GB, 0.0),
    ],
)
def test_gradients_count_where_they_lay_there(
    rest_gb: float, together: bool, gradients_gb: float, activations_gb: float
) -> None:
    found = split(rest_gb, together=together)
    assert (found.gradients_gb, found.activations_gb) == pytest.approx((gradients_gb, activations_gb))


def test_a_step_in_the_backward_pass_has_none() -> None:
    assert split(0.0076, together=False, in_backward=True).gradients_gb == 0.0


@pytest.mark.parametrize(
    ("recompute", "most_micro_batches", "from_graphs", "together"),
    [(False, 1, False, False), (True, 1, False, True), (False, 2, False, True), (False, 1, True, True)],
)
def test_when_gradients_lie_beside_activations(
    recompute: bool, most_micro_batches: int, from_graphs: bool, together: bool
) -> None:
    progress = Progress(micro_batch_rows=8, most_micro_batches=most_micro_batches, from_graphs=from_graphs)
    assert _together(recompute, progress) is together
