"""Files for those who find the project: how to cite it, and what a bug report needs."""

import re
import tomllib
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from ruamel.yaml import YAML

from showdown.core.version import VERSION

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "showdown"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version() -> None:
    citation = read("CITATION.cff")
    project = PYPROJECT["project"]
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (VERSION, project["license"])
    assert {"title", "authors", "message"} <= citation.keys()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## (\d\S+) \((\S+)\)$", changes, re.MULTILINE)[0]
    assert newest == (citation["version"], str(citation["date-released"]))


def test_packages_are_built_with_the_version_of_the_code() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert resolve_name(PYPROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"]) == VERSION


def test_a_bug_report_asks_for_what_doctor_says() -> None:
    fields = read(".github/ISSUE_TEMPLATE/bug.yml")["body"]
    (asked,) = (one for one in fields if "showdown doctor --report" in one["attributes"]["label"])
    assert asked["validations"]["required"] is True
    for one in fields:
        assert one["type"] in ("textarea", "input", "dropdown", "markdown")


def test_every_extra_says_who_uses_it() -> None:
    rows = [
        line for line in (ROOT / "docs/installing.md").read_text(encoding="utf-8").splitlines() if line[:3] == "| `"
    ]
    named = [name for row in rows for name in re.findall(r"`([a-z]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(PYPROJECT["project"]["optional-dependencies"])


def test_every_file_of_the_package_is_installed() -> None:
    """What is no module is in the wheel only where a pattern of pyproject.toml names it."""
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["showdown"]
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    there = {path for path in [*PACKAGE.rglob("*"), *PACKAGE.glob("ready_made/*")] if path.is_file()}
    assert not [path for path in there - installed if path.suffix not in (".py", ".pyc")]
    assert PACKAGE / "ready_made" / "quickstart.yaml" in installed
