"""Safetensors files whose headers lie, in every place where weights are opened: one line, and no memory taken."""

import json
import os
import resource
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from showdown.core.bounds import RequestedData
from showdown.core.errors import UserError
from showdown.core.manifest import write_sizes
from showdown.core.method import FittedMethod, NetworkOptions, TunedMethod
from showdown.core.spec import ModelSpec, RunSpec
from showdown.methods.table import build
from showdown.models.network import load_network, load_saved_network
from showdown.models.source import locate, pin
from showdown.prediction.load import load_model
from showdown.prediction.open import open_model
from showdown.stages.artifact import write_description
from showdown.training.checkpoint import Checkpoints, State
from tiny_pretrained import LABELS, job, separable_rows

MB = 10**6


def file_of(header: Any, data_bytes: int = 8, *, said_bytes: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if said_bytes is None else said_bytes) + text + bytes(data_bytes)


def tensor(start: int = 0, end: int = 8, shape: Any = (2,), dtype: str = "F32") -> dict[str, Any]:
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}}


LIES: dict[str, bytes] = {
    "a header of 2^63 bytes": file_of(tensor(), said_bytes=2**63),
    "a header of 2^64 - 1 bytes": file_of(tensor(), said_bytes=2**64 - 1),
    "a header longer than the file": file_of(tensor(), said_bytes=MB),
    "offsets beyond the file": file_of(tensor(end=2**40, shape=(2**38,))),
    "offsets before the file": file_of(tensor(start=-8, end=0)),
    "an end before its start": file_of(tensor(start=8, end=0)),
    "a shape larger than its bytes": file_of(tensor(shape=(10**6, 10**6))),
    "a shape below nothing": file_of(tensor(shape=(-1, -2))),
    "two tensors in one place": file_of({**tensor(), "y": tensor()["x"]}),
    "a gap": file_of({**tensor(), "y": tensor(16, 24)["x"]}, 24),
    "an unknown type": file_of(tensor(dtype="PICKLE")),
    "words for offsets": file_of({"x": {"dtype": "F32", "shape": [2], "data_offsets": ["a", "b"]}}),
    "no JSON": struct.pack("<Q", 4) + b"\0\0\0\0" + bytes(8),
    "deep JSON": struct.pack("<Q", 2 * MB) + b"[" * 2 * MB,
    "nothing": b"",
    "seven bytes": bytes(7),
}


def plant(path: Path, lie: str) -> None:
    """Write a file that lies; the header of 200 MB is a file with a hole."""
    if lie == LARGE:
        with path.open("wb") as file:
            file.write(struct.pack("<Q", 200 * MB) + b'{"x')
            file.truncate(8 + 200 * MB)
    else:
        path.write_bytes(LIES[lie])


LARGE = "a header of 200 MB"
EVERY = [*LIES, LARGE]


@pytest.fixture(scope="module")
def saved(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The folder and spec of a run of each method that saves weights."""
    found: dict[str, Any] = {}
    asked = job(pretrained("bert"))
    for name in ("full", "lora", "frozen"):
        folder = tmp_path_factory.mktemp(name)
        method = build(name, {})
        artifact = folder / "artifact"
        artifact.mkdir()
        if isinstance(method, FittedMethod):
            fitted = method.fit(separable_rows(24), asked, validation=separable_rows(6, start=24))
            method.save(fitted.predictor, artifact)
        else:
            assert isinstance(method, TunedMethod)
            method.save(method.adapt(load_network(locate(asked.model), asked, NetworkOptions())), artifact)
        spec = RunSpec(
            name=name,
            method=name,
            settings=method.settings.model_dump(),
            model=asked.model,
            protocol=asked.protocol,
            seed=0,
            data_fingerprint="f" * 64,
        )
        found[name] = folder, spec
    return found


def bounded(work: Callable[[], Any]) -> Any:
    """Do it, and look how much memory it took at the most."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        return work()
    finally:
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 600 * MB
        assert threading.active_count() < 200
        assert os.getpid()


def refused(work: Callable[[], Any]) -> None:
    with pytest.raises(UserError) as caught:
        bounded(work)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert "safetensors" in str(caught.value) or "cannot be read" in str(caught.value)


@pytest.mark.parametrize("lie", EVERY)
def test_a_base_model_is_refused_before_anything_runs(
    pretrained: Callable[[str], Path], tmp_path: Path, lie: str
) -> None:
    model = shutil.copytree(pretrained("bert"), tmp_path / "model")
    plant(model / "model.safetensors", lie)
    refused(lambda: pin(ModelSpec(id=str(model))))
    refused(lambda: locate(ModelSpec(id=str(model))))
    refused(lambda: load_saved_network(model, job(model)))


@pytest.mark.parametrize("lie", EVERY)
@pytest.mark.parametrize("method", ["full", "lora", "frozen"])
def test_a_saved_model_is_refused_in_a_line(saved: dict[str, Any], tmp_path: Path, method: str, lie: str) -> None:
    whole, spec = saved[method]
    folder = shutil.copytree(whole, tmp_path / "run")
    (weights,) = (folder / "artifact").glob("*.safetensors")
    plant(weights, lie)
    artifact = folder / "artifact"
    write_description(artifact, folder, spec, LABELS, score_kind="probability", limit=64)
    write_sizes(artifact)  # whoever forges the weights forges their sizes too
    refused(lambda: open_model(spec, LABELS, artifact, data=RequestedData(), confidence=None, fix="copy it again"))
    refused(lambda: load_model(artifact))


@pytest.mark.parametrize("lie", EVERY)
@pytest.mark.parametrize("where", ["newest", "best"])
def test_a_checkpoint_is_named_and_passed_over(tmp_path: Path, lie: str, where: str) -> None:
    said: list[str] = []
    checkpoints = Checkpoints(tmp_path / "checkpoints", said.append)
    for epoch in (1, 2):
        best = checkpoints.save_best(epoch, {"x": torch.zeros(2)}) if where == "best" else None
        state = State(tensors={"x": torch.full((2,), float(epoch))}, facts={"best_weights": best})
        if epoch == 2:
            shutil.copytree(checkpoints.folder, tmp_path / "kept")
        checkpoints.save(epoch, epoch, state)
    shutil.copytree(tmp_path / "kept", checkpoints.folder, dirs_exist_ok=True)
    name = "step-00000002-epoch-0002" if where == "newest" else "best-0002"
    plant(checkpoints.folder / name / "state.safetensors", lie)
    write_sizes(checkpoints.folder / name)
    found = bounded(checkpoints.newest)
    assert found is not None
    assert found.tensors["x"].tolist() == [1.0, 1.0]
    assert any(name in line and "passed over" in line for line in said)
