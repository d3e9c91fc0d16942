"""What the documents say is so: keys of the results, files, links."""

import ast
import importlib.util
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import showdown
from shell_blocks import DOCUMENTS, ROOT, blocks
from showdown.config.read import key_places
from showdown.core.record import (
    Confidence,
    CoveragePoint,
    Elsewhere,
    Load,
    MemorySplit,
    OwnScore,
    PredictionSpeed,
    ReliabilityBin,
    Results,
    RunRecord,
    Writing,
)
from showdown.core.samples import Sample

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "model",
    [
        *(Results, RunRecord, MemorySplit, PredictionSpeed, Confidence, ReliabilityBin, CoveragePoint, Load, Sample),
        *(Writing, OwnScore, Elsewhere),
    ],
    ids=lambda model: str(model.__name__),
)
def test_every_key_of_the_results_is_documented(model: type[Results]) -> None:
    undocumented = [key for key in model.model_fields if f"`{key}`" not in RESULTS]
    assert not undocumented


def test_every_documented_key_of_a_record_is_there() -> None:
    table = RESULTS[RESULTS.index("## A run's record") : RESULTS.index("## `system.jsonl`")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {key for row in rows for key in re.findall(r"`([a-z0-9_]+)`", row)}
    assert named == set(RunRecord.model_fields)


def test_the_readme_names_what_is_there() -> None:
    tree = README[README.index("## The tree") : README.index("## Where to read on")]
    parts = {line.split()[0] for line in tree.splitlines() if re.match(r"  [a-z0-9_]+(/|\.py) ", line)}
    package = ROOT / "src" / "showdown"
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in package.iterdir()
        if not path.name.startswith("_") and path.name != "py.typed"
    }
    assert parts == there


def test_every_ready_made_comparison_is_listed() -> None:
    listed = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for path in (ROOT / "comparisons").glob("*.yaml"):
        assert f"`{path.name}`" in listed


def maker_of(page: str) -> Any:
    """The program beside a page that makes it."""
    spec = importlib.util.spec_from_file_location(page, ROOT / "docs" / f"{page}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_table_of_all_methods_is_current() -> None:
    methods, written = maker_of("methods"), (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert written == methods.page(methods.below_table(written)), "run `make docs`"
    assert methods.page("kept").endswith("stays. -->\nkept")


def test_the_reference_of_all_keys_is_current_and_whole() -> None:
    configuration = maker_of("configuration")
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == configuration.page(), "run `make docs`"
    for place in key_places().values():
        assert f"| `{place.rpartition('.')[2]}` |" in written


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert not [target for target in local if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_stands_for_what_was_to_be_filled_in(document: Path) -> None:
    """Prose names constants and environment variables as code; bare, they are places that wait for a figure."""
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|https?://\S+", "", document.read_text(encoding="utf-8"), flags=re.S)
    assert not re.findall(r"\b(?:[A-Z]+_[A-Z_]+|TODO|FIXME|TBD|TAKES)\b", prose)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_of_the_documents_calls_what_is_there(document: Path) -> None:
    for block in blocks(document.read_text(encoding="utf-8"), ("python",)):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "showdown":
                assert node.attr in showdown.__all__
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "comparison":
                assert hasattr(showdown.Comparison, node.attr)
            elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "showdown":
                found = import_module(str(node.module))
                assert all(hasattr(found, one.name) for one in node.names)


def _anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_headings_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*\.md)?#([^)\s]+)\)", document.read_text(encoding="utf-8"))
    lost = [
        (file, anchor) for file, anchor in links if anchor not in _anchors(document.parent / file if file else document)
    ]
    assert not lost
