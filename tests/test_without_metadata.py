"""A source tree or an unpacked archive on PYTHONPATH: there is no metadata of the package."""

import importlib.metadata
from pathlib import Path

import pytest

from in_process import in_process
from showdown.core.version import VERSION
from showdown.doctor.software import extra_checks
from showdown.measure.environment import versions


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the metadata of the package that is installed where tests run."""
    found = importlib.metadata.distribution

    def distribution(name: str) -> importlib.metadata.Distribution:
        if name == "finetuning-showdown":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)


def test_the_version_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process(capsys)("--version") == (0, f"showdown {VERSION}\n", "")
    assert versions()["finetuning-showdown"] == VERSION


def test_nothing_asks_the_metadata_for_the_version() -> None:
    sources = (Path(__file__).parents[1] / "src").rglob("*.py")
    asking = [path.name for path in sources if 'version("finetuning-showdown")' in path.read_text(encoding="utf-8")]
    assert asking == []


def test_doctor_says_that_extras_are_not_known() -> None:
    (found,) = extra_checks()
    assert (found.name, found.state, found.fix) == ("extras", "note", "`pip install .` in the source tree")
    assert "not installed" in found.says
