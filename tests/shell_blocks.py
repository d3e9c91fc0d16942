"""The shell blocks of the documents, and what stands in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PLACES = ("*.md", "benchmarks/*.md", "docs/*.md", "docs/decisions/*.md", "docs/notebooks/*.md")
DOCUMENTS = sorted(path for place in _PLACES for path in ROOT.glob(place))
"""All but docs/examples, which are reports."""
_SHELL = ("", "sh", "bash")
_REMARK = re.compile(r"\s+#\s.*")


def blocks(text: str, languages: tuple[str, ...] = _SHELL) -> list[str]:
    """Return the fenced blocks of a document in some languages, each as it stands between its fences."""
    found: list[str] = []
    language, inside = None, list[str]()
    for line in text.splitlines():
        fence = re.fullmatch(r"\s*```(\w*)\s*", line)
        if fence is None:
            inside.append(line)
        elif language is None:
            language, inside = fence[1], []
        else:
            found += ["\n".join(inside)] if language in languages else []
            language = None
    assert language is None, "a block is not closed"
    return found


def lines(text: str) -> list[str]:
    """Return the command lines of a document's shell blocks: whole, without remarks and the environment's folder."""
    return [
        _REMARK.sub("", line).strip().removeprefix(".venv/bin/")
        for block in blocks(text)
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ]
