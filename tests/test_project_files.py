"""Files for those who find the project: how to cite it, and what a bug report needs."""

import re
import tomllib
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version() -> None:
    citation = read("CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert {"title", "authors", "message"} <= citation.keys()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## (\d\S+) \((\S+)\)$", changes, re.MULTILINE)[0]
    assert newest == (citation["version"], str(citation["date-released"]))


def test_a_bug_report_asks_for_what_doctor_says() -> None:
    fields = read(".github/ISSUE_TEMPLATE/bug.yml")["body"]
    (asked,) = (one for one in fields if "showdown doctor --report" in one["attributes"]["label"])
    assert asked["validations"]["required"] is True
    for one in fields:
        assert one["type"] in ("textarea", "input", "dropdown", "markdown")
