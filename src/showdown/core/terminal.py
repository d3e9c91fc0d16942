"""What reaches a terminal: text of the data is shown, never obeyed, and a letter that it cannot write is escaped."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable

PIPED_WIDTH = 120
"""Of a table where the output is no terminal."""
_OBEYED = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: controls (ESC and C1 among them), halves of a pair, separators of lines and paragraphs."""


def shown(text: str) -> str:
    r"""Return text on one line with an escape (`\u001b`, as JSON has it) for every character that a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(sign):04x}" if unicodedata.category(sign) in _OBEYED else sign for sign in text)


def say(text: object, *, err: bool = False) -> None:
    """Print lines of text, safely: see `shown`."""
    lines = "\n".join(shown(line) for line in str(text).split("\n"))
    print(lines, file=sys.stderr if err else sys.stdout, flush=True)


def escape_what_cannot_be_written() -> None:
    """Let an output in ASCII or Latin-1 show what it has no letter for as an escape, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test's or a notebook's stream may have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class _Shown:
    """What is to be printed, with escapes in the place of characters that a terminal obeys."""

    def __init__(self, inner: "ConsoleRenderable") -> None:
        self._inner = inner

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator[Any]:
        from rich.segment import Segment

        for segment in console.render(self._inner, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                lines = segment.text.split("\n")
                yield Segment("\n".join(map(shown, lines)), segment.style)


def open_console() -> "Console":
    """Return the console of standard output, on which text of the data is safe."""
    from rich.console import Console, RenderHook

    class Hook(RenderHook):
        def process_renderables(self, renderables: "list[ConsoleRenderable]") -> "list[ConsoleRenderable]":
            return [_Shown(one) for one in renderables]

    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    console.push_render_hook(Hook())
    return console


def print_lines(lines: Iterable[str]) -> None:
    """Print lines; at a terminal they break between words."""
    if not sys.stdout.isatty():
        for line in lines:
            say(line)
        return
    console = open_console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=False)
