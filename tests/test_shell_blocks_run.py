"""The commands of the first documents are carried out in turn, in a folder with the files that they name."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from pretrained import Pretrained
from shell_blocks import ROOT
from showdown.testing.tiny import separable_rows
from test_shell_blocks import commands

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

NOT_RUN = {
    r"serve\b": "answers until it is stopped (tests/serving)",
    r"watch\b": "goes on until it is stopped (tests/watch)",
    r"init$": "asks at a terminal (tests/start)",
    r"init --hub\b": "needs a network",
    r"(run|plan) comparisons/resumes-mistral-7b.yaml": "needs a model that is not here",
}
"""Commands that are not carried out, and why."""
MAY_END_WITH = {"audit": (0, 3)}
"""Exit codes other than 0 that a document announces: `audit --strict` ends with 3 where there are findings."""
MISTRAL = {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 4096} | {
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "torch_dtype": "bfloat16",
}


def showdown(words: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "showdown", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="module")
def supplied(pretrained: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the documents name: data, a description of a model, and finished comparisons."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "comparisons").symlink_to(ROOT / "comparisons")
    rows = separable_rows(90)
    lines = [
        f'"{text}",{("spam", "ham", "news")[target]}' for text, target in zip(rows.texts, rows.targets, strict=True)
    ]
    (folder / "reviews.csv").write_text("\n".join(["Review,Stars", *lines]), encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(folder / "reviews.csv"), folder / "reviews.parquet")
    (folder / "new.csv").write_text("Review\nWorks as described.\nBroke on day two.\n", encoding="utf-8")
    chats = [{"prompt": f"{row} plus {row}?", "answer": str(2 * row)} for row in range(60)]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(MISTRAL), encoding="utf-8")
    settings = [f"model.id={pretrained('bert')}", "protocol.epochs=2", "seeds=[0]", "protocol.split={kind: single}"]
    asked = [word for setting in settings for word in ("--set", setting)]
    done = showdown(["run", "reviews.csv", "--methods", "tfidf,frozen,lora", *asked], folder)
    assert done.returncode == 0, done.stderr
    for other in ("quickstart", "extraction", "minilm", "mistral"):
        shutil.copytree(folder / "showdown-out" / "reviews", folder / "showdown-out" / other)
    (artifact,) = folder.glob("showdown-out/reviews/runs/tfidf-*/artifact")
    shutil.copytree(artifact, folder / "some" / "folder" / "artifact")
    return folder


def not_run(words: list[str]) -> str | None:
    return next((why for command, why in NOT_RUN.items() if re.match(command, shlex.join(words))), None)


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md", "docs/start.md"])
def test_every_command_can_be_carried_out(document: str, supplied: Path, tmp_path: Path) -> None:
    """What would train for minutes is rehearsed: all but the training is done."""
    folder = tmp_path / "here"
    shutil.copytree(supplied, folder, symlinks=True)
    failed, left_out = [], []
    for words in commands(ROOT / document, "showdown"):
        why = not_run(words)
        if why:
            left_out.append(f"{shlex.join(words)}: {why}")
            continue
        rehearsed = [*words, "--dry-run"] if words[0] == "run" and "--dry-run" not in words else words
        if words[:1] == ["run"] and words[1].startswith("comparisons/") and "--output" not in words:
            rehearsed = [*rehearsed, "--output", "new"]  # the folder that it would take stands for a finished one
        rehearsed = [*rehearsed, "--yes"] if words[0] == "rm" else rehearsed
        done = showdown(rehearsed, folder)
        if done.returncode not in MAY_END_WITH.get(words[0], (0,)):
            failed.append(f"{shlex.join(rehearsed)}: {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    print("not run:", *left_out, sep="\n  ")
    assert not failed, "\n".join(failed)
