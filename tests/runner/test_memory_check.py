"""A line beforehand where there is less memory than a comparison needs at the least."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from showdown.core.spec import Comparison, ModelSpec
from showdown.measure.limits import MemoryRoom
from showdown.models.folder import stored_parameters
from showdown.runner import memory_check
from showdown.runner.memory_check import LIBRARIES_GB, OWN_GB, short_of_memory


def said(model: Path, free_gb: float, *, of_group: bool = True, **methods: Any) -> str | None:
    comparison = Comparison.model_validate({"methods": methods})
    free = MemoryRoom(limit_bytes=int(1e12), free_bytes=int(free_gb * 1e9), of_group=of_group)
    return short_of_memory(comparison, ModelSpec(id=str(model)), free)


def test_what_is_needed_at_the_least_decides(pretrained: Callable[[str], Path]) -> None:
    model, least = pretrained("bert"), OWN_GB + LIBRARIES_GB
    assert said(model, least + 0.001, tfidf={}) is None
    line = said(model, 0.3, tfidf={})
    assert line is not None
    assert line.startswith("memory: 0.3 GB are free under the limit of its control group, and at the least 0.6 GB")
    assert "on this machine" in str(said(model, 0.3, of_group=False, tfidf={}))


def test_full_fine_tuning_needs_more_of_a_model_than_an_adapter(
    pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, least = pretrained("bert"), OWN_GB + LIBRARIES_GB
    assert stored_parameters(model) > 0
    monkeypatch.setattr(memory_check, "stored_parameters", lambda _: 10**9)
    found = {}
    for name, needed in {"frozen": 0.0, "qlora": 0.5, "lora": 4.0, "full": 16.0}.items():
        assert said(model, least + needed + 0.01, **{name: {}}) is None
        found[name] = said(model, least + needed - 0.01, **{name: {}})
    assert all(found.values())
    assert "16 GB for the model of `full`" in str(said(model, 1.0, frozen={}, full={}, lora={}))
    monkeypatch.setattr(memory_check, "has_gpu", lambda: True)
    assert said(model, least + 0.01, full={}) is None
