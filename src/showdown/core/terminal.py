"""Safe output to a terminal: control characters, and characters that it cannot print, are written as escapes."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from showdown.core.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable
    from rich.segment import Segment

PIPED_WIDTH = 120
"""Characters in a line of a table when the output is no terminal."""
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: controls (such as ESC and C1), surrogates, separators of lines and of paragraphs."""


def escape_controls(text: str) -> str:
    r"""Return text on one line, with an escape such as `\u001b` (as in JSON) for every control character."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(sign):04x}" if unicodedata.category(sign) in _CONTROL else sign for sign in text)


def say(text: object, *, err: bool = False) -> None:
    """Print lines of text, with control characters escaped."""
    lines = "\n".join(escape_controls(line) for line in str(text).split("\n"))
    print(lines, file=sys.stderr if err else sys.stdout, flush=True)


def escape_unencodable() -> None:
    """Print characters that the terminal's encoding (ASCII, for example) lacks as escapes, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # the stream of a test or a notebook may have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class _Escaped:
    """A rich renderable whose control characters are printed as escapes."""

    def __init__(self, inner: "ConsoleRenderable") -> None:
        self._inner = inner

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Segment]":
        from rich.segment import Segment

        for segment in console.render(self._inner, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                lines = segment.text.split("\n")
                yield Segment("\n".join(map(escape_controls, lines)), segment.style)


def open_console() -> "Console":
    """Return a console for standard output that escapes control characters."""
    from rich.console import Console, RenderHook

    class Hook(RenderHook):
        def process_renderables(self, renderables: "list[ConsoleRenderable]") -> "list[ConsoleRenderable]":
            return [_Escaped(one) for one in renderables]

    # Without `force_jupyter=False` rich takes a notebook for a terminal, and asks for widgets.
    console = Console(force_jupyter=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
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


def can_ask() -> bool:
    """Tell whether a person can be asked: input and output are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def ask(question: str) -> str:
    """Ask at a terminal, and return the answer without the spaces around it.

    Raises:
        UserError: when the input has ended.

    """
    print(f"{escape_controls(question)} ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer:
        say("")
        raise UserError("the input ended before the question was answered; run the same command again")
    return answer.strip()


def confirmed(question: str) -> bool:
    """Ask a question at a terminal, and tell whether the answer was yes; no is what nothing means."""
    return ask(f"{question} [y/N]").casefold() in ("y", "yes")
