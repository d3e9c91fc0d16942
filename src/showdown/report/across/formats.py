"""The formats of a report of several comparisons."""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from showdown.core.files import write_text
from showdown.report.across.beside import Beside

FORMATS: dict[str, tuple[str, str]] = {
    "markdown": ("comparisons.md", "showdown.report.across.markdown:markdown"),
    "html": ("comparisons.html", "showdown.report.across.html:html"),
}
"""By name, the file and what makes its text."""


def write_beside(beside: Beside, folder: Path, forms: Iterable[str]) -> list[Path]:
    """Write the report into a folder, which is made where it is missing, and return the paths."""
    written = []
    for file, made_by in (FORMATS[form] for form in forms):
        module, _, name = made_by.partition(":")
        text: Callable[[Beside], str] = getattr(import_module(module), name)
        write_text(folder / file, text(beside))
        written.append(folder / file)
    return written
