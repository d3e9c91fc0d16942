"""Checkpoints are kept where two of them fit on the disk; where they do not, that is said."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from showdown.runner.train import _checkpoints

LEARNING_BYTES = 4 * 100 * 50


@pytest.mark.parametrize(("free", "kept"), [(2 * 4 * LEARNING_BYTES, True), (2 * 4 * LEARNING_BYTES - 1, False)])
def test_two_must_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, kept: bool) -> None:
    said: list[str] = []
    module = torch.nn.Sequential(torch.nn.Linear(100, 50, bias=False), torch.nn.Linear(50, 9))
    module[1].requires_grad_(False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    scene: Any = SimpleNamespace(folder=tmp_path, teller=SimpleNamespace(say=said.append))
    assert (_checkpoints(scene, module) is not None) == kept
    assert bool(said) == (not kept)
    assert all("no checkpoints: two need" in line and "starts from its beginning" in line for line in said)
