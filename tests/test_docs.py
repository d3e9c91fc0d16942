"""What the documents say is so: keys of the results, commands, files, links."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

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

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")])


def commands(text: str) -> list[str]:
    """The `showdown` commands of a document's code blocks, without the remark behind them."""
    blocks = re.findall(r"```(?:sh|bash)?\n(.*?)```", text, re.DOTALL)
    return [
        line.split(" #")[0].strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("showdown ")
    ]


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


def test_every_command_of_the_documents_is_one() -> None:
    """Its options are those of the command: each is asked for its help, which a wrong option would not give."""
    asked = [command for path in DOCUMENTS for command in commands(path.read_text(encoding="utf-8"))]
    assert len(asked) > 10
    code = (
        "import sys, json\nimport typer\nfrom showdown.cli import app\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    app(args=[*words, '--help'], standalone_mode=False)\n"
    )
    words = [shlex.split(command)[1:] for command in asked]
    found = subprocess.run(
        [sys.executable, "-c", code, json.dumps(words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("Usage:") == len(asked)


def test_the_readme_names_what_is_there() -> None:
    tree = README[README.index("## The tree") : README.index("## Licences")]
    parts = {line.split()[0] for line in tree.splitlines() if re.match(r"  [a-z0-9]+(/|\.py) ", line)}
    package = ROOT / "src" / "showdown"
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in package.iterdir()
        if not path.name.startswith("_") and path.name != "py.typed"
    }
    assert parts == there
    for path in (ROOT / "comparisons").glob("*.yaml"):
        assert f"`{path.name}`" in README


def test_the_reference_of_all_keys_is_current_and_whole() -> None:
    spec = importlib.util.spec_from_file_location("configuration", ROOT / "docs" / "configuration.py")
    assert spec is not None
    assert spec.loader is not None
    configuration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(configuration)
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == configuration.page(), "run `make docs`"
    for place in key_places().values():
        assert f"| `{place.rpartition('.')[2]}` |" in written


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert not [target for target in local if not (document.parent / target).exists()]


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
