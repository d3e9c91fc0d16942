"""Checkpoints are kept where two of them fit on the disk; where they do not, that is said."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.parallel.group import Group
from showdown.engine.parallel.spread import Spread
from showdown.stages.train import _checkpoints

LEARNING = 100 * 50


@pytest.mark.parametrize(
    ("kind", "rounding", "bytes_a_weight"),
    [
        (torch.float32, "nearest", 4 + 8 + 4),
        (torch.bfloat16, "stochastic", 2 + 4 + 2),
        (torch.bfloat16, "float32", 2 + 10 + 2),  # float32 moments, and the bits that bfloat16 lacks
    ],
)
@pytest.mark.parametrize("kept", [True, False])
def test_two_must_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: torch.dtype, rounding: Any, bytes_a_weight: int, kept: bool
) -> None:
    free = 2 * bytes_a_weight * LEARNING - (not kept)
    said: list[str] = []
    module = torch.nn.Sequential(torch.nn.Linear(100, 50, bias=False), torch.nn.Linear(50, 9)).to(kind)
    module[1].requires_grad_(False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    context: Any = SimpleNamespace(folder=tmp_path, events=SimpleNamespace(say=said.append))
    settings = OptimizerSettings(weight_decay=0.0, rounding=rounding)
    adapted: Any = SimpleNamespace(step=settings, spread=Spread(Group(), module))
    assert (_checkpoints(context, module, adapted) is not None) == kept
    assert bool(said) == (not kept)
    assert all("no checkpoints: two need" in line and "starts from its beginning" in line for line in said)
