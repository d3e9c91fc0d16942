"""No version with a known hole is allowed: by the floors of pyproject.toml, the pins of constraints.txt, and here."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
HOLES = {
    "skops": ("0.13", "CVE-2025-54886: below it a model card falls back to joblib, which runs code"),
    "jinja2": ("3.1.6", "CVE-2025-27516: below it `|attr` leaves the sandbox"),
    "torch": ("2.10", "CVE-2026-24747, CVE-2025-32434: below it `weights_only` runs code"),
    "transformers": ("5.4", "CVE-2026-1839, CVE-2026-4372, CVE-2026-5241"),
}
"""First version without the hole, which is the least that is allowed."""


def floors() -> dict[str, Version]:
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = {}
    for line in written:
        requirement = Requirement(line)
        least = [Version(one.version) for one in requirement.specifier if one.operator in (">=", "==", ">")]
        assert least, f"{line} has no floor"
        found[canonicalize_name(requirement.name)] = max(least)
    return found


def pins() -> dict[str, Version]:
    lines = re.findall(r"^([\w.\[\]-]+)==([\w.+!-]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(number) for name, number in lines}


@pytest.mark.parametrize("package", HOLES)
def test_versions_with_a_known_hole_are_not_allowed(package: str) -> None:
    least, why = HOLES[package]
    assert floors()[package] >= Version(least), why
    assert pins()[package] >= Version(least), why
    assert Version(version(package)) >= Version(least), why


def test_what_is_pinned_is_what_is_allowed() -> None:
    known = pins()
    for package, least in floors().items():
        assert known[package] >= least, package
