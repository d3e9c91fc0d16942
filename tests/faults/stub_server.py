"""The real server of workers with a stage of the test's own: no library is imported ahead, and stages take no time."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from showdown.core.events import Listener
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.runner.executors.local import LocalExecutor

_BEGIN = """
import sys
if "showdown.runner.worker.fork_server" in getattr(sys, "orig_argv", ()):
    from showdown.runner.worker import entry as worker
    def stage(spec, folder, processed, events, *kept):
{body}
    worker._stage = lambda name: stage
"""


def write_stub(folder: Path, body: str) -> Path:
    """Write a folder for PYTHONPATH, by which a server's stages are ``body``; it may use what a stage is given."""
    stub = folder / "stub"
    stub.mkdir()
    lines = "\n".join(f"        {line}" for line in body.strip("\n").splitlines())
    (stub / "sitecustomize.py").write_text(_BEGIN.format(body=lines))
    return stub


def environment(stub: Path) -> dict[str, str]:
    """Return what a server's environment needs for it."""
    path = os.pathsep.join([str(stub), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "SHOWDOWN_NOT_AHEAD": "all"}


@contextmanager
def stubbed(
    folder: Path,
    body: str,
    patch: pytest.MonkeyPatch,
    listen: Listener = lambda event: None,
    devices: Sequence[str | None] = (None,),
) -> Iterator[LocalExecutor]:
    """Yield an executor of such servers, one for each device."""
    for name, value in environment(write_stub(folder, body)).items():
        patch.setenv(name, value)
    with (folder / "lock").open("w") as lock, LocalExecutor(lock.fileno(), listen, devices) as executor:
        yield executor


def run_folder(root: Path, name: str) -> Path:
    """Make the folder of a run, with what a stage reads of it."""
    folder = root / name
    folder.mkdir(parents=True)
    spec = RunSpec(
        name=name,
        method="majority",
        settings={},
        model=ModelSpec(),
        protocol=SharedProtocol(),
        seed=0,
        data_fingerprint="f" * 64,
    )
    (folder / "spec.json").write_text(spec.model_dump_json())
    return folder
