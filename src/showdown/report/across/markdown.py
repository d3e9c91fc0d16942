"""Several comparisons beside each other as Markdown."""

from showdown.report.across.beside import Beside
from showdown.report.markdown_text import escaped, grid, spaced


def markdown(beside: Beside) -> str:
    """Return the report."""
    parts = [f"# {escaped(beside.title)}", *(f"**{escaped(line)}**" for line in beside.above)]
    parts += [grid(beside.headings, beside.rows), "## Verdict", *(f"- {escaped(line)}" for line in beside.verdict)]
    if beside.differing:
        parts += ["## What differs between them", grid(beside.differing_headings, beside.differing)]
    return spaced([*parts, "## How to read it", *(f"- {escaped(line)}" for line in beside.below)])
