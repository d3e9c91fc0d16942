"""Files of prompts and answers for tests."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from showdown.core.chat import read_prompt


def lines(folder: Path, rows: Iterable[Mapping[str, object]], name: str = "rows.jsonl") -> str:
    """Write JSON Lines; return the path."""
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder / name)


def table(folder: Path, header: Sequence[str], rows: Iterable[Sequence[str]], name: str = "rows.csv") -> str:
    """Write a CSV; return the path."""
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(folder / name)


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def system(content: str) -> dict[str, str]:
    return {"role": "system", "content": content}


def messages_of(prompt: str) -> list[tuple[str, str]]:
    """Return role and content of each message of a kept prompt."""
    return [(one.role, one.content) for one in read_prompt(prompt)]


def prompts(count: int) -> list[tuple[str, str]]:
    """Return rows whose prompts have no word in common, with their answers."""
    return [(f"alpha{row} beta{row} gamma{row}", f"delta{row}") for row in range(1, count + 1)]
