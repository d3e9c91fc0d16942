"""The documentation site: every page is in its navigation, and links that lead out of docs/ become names."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def pages(found: Any) -> list[str]:
    """The files of a navigation, however deep."""
    if isinstance(found, str):
        return [found]
    return [page for part in (found.values() if isinstance(found, dict) else found) for page in pages(part)]


def test_every_page_has_one_place_in_the_navigation() -> None:
    navigation = pages(YAML(typ="safe", pure=True).load((ROOT / "mkdocs.yml").read_text())["nav"])
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "examples" not in path.parts}
    assert sorted(navigation) == sorted(there)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("see [the plan](plan.md#money)", "see [the plan](plan.md#money)"),
        ("see [the list](../benchmarks/README.md)", "see the list (`benchmarks/README.md`)"),
        ("see [`../Makefile`](../Makefile)", "see `../Makefile`"),
        ("see [the `Makefile`](../Makefile)", "see the `Makefile` (`Makefile`)"),
        ("see [`Makefile`](../Makefile)", "see `Makefile`"),
        ("see [them](https://example.org/a.md)", "see [them](https://example.org/a.md)"),
        ("![a picture](images/report.png)", "![a picture](images/report.png)"),
    ],
)
def test_links_out_of_the_documents_become_names(written: str, shown: str) -> None:
    here = {"plan.md", "images/report.png"}
    files = SimpleNamespace(get_file_from_path=lambda path: path if path in here else None)
    page = SimpleNamespace(file=SimpleNamespace(src_uri="scale.md"))
    hook = runpy.run_path(str(DOCS / "site" / "links.py"))["on_page_markdown"]
    assert hook(written, page=page, files=files) == shown
