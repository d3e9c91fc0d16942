"""Comparisons that were bent: what a careless or a hostile hand makes of a YAML file."""

import random
from collections.abc import Iterator
from pathlib import Path

PIECES = (
    *(
        "[",
        "]",
        "{",
        "}",
        ":",
        ": ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "<<: *a",
        "!!int ",
        "!!binary ",
        "!!python/name:os.system ",
        "|",
        ">",
    ),
    *(
        "\t",
        "\n",
        "  ",
        "#",
        "'",
        '"',
        "\\",
        "%YAML 1.1\n---\n",
        "---",
        "...",
        "\0",
        "\x07",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ud800",
    ),
    *(
        "9" * 5000,
        "0x" + "F" * 5000,
        "1e999",
        ".nan",
        ".inf",
        "-0",
        "1:60:60",
        "2024-13-45",
        "null",
        "~",
        "yes",
        "=",
        "@",
        "`",
    ),
    *("[" * 200, "{a: " * 200, "&a [*a]", "methods", "protocol: 3", "seeds: {a: 1}", "name: ../up", "data: {files: 3}"),
)


def bent(count: int, seed: int) -> Iterator[str]:
    """Yield ready-made comparisons of which one to four places were cut, doubled, swapped or filled with a piece."""
    chance = random.Random(seed)
    whole = [path.read_text() for path in sorted((Path(__file__).parents[2] / "comparisons").glob("*.yaml"))]
    for _ in range(count):
        text = chance.choice(whole)
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(text) + 1)
            end = min(len(text), start + chance.choice((0, 0, 1, 5, 40)))
            filling = chance.choice((chance.choice(PIECES), chance.choice(PIECES), "", text[start:end] * 2))
            text = text[:start] + filling + text[end:]
        yield text
