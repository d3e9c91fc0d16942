"""The formats of a report of several comparisons."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from showdown.core.files import write_text
from showdown.report.across.beside import Beside
from showdown.report.formats import known_formats

FORMATS: dict[str, tuple[str, str]] = {
    "markdown": ("comparisons.md", "showdown.report.across.markdown:markdown"),
    "html": ("comparisons.html", "showdown.report.across.html:html"),
}
"""By name, the file and what makes its text."""


def folder_beside(outputs: Sequence[Path | str]) -> Path:
    """Return the default folder of a report of several comparisons: beside the first of them."""
    folders = [Path(output).resolve() for output in outputs]
    return folders[0].parent / "-beside-".join(folder.name for folder in folders)


def write_beside(make: Callable[[], Beside], folder: Path, requested: Sequence[str] | None) -> list[Path]:
    """Write the report into a folder, which is made where it is missing, and return the paths.

    Args:
        make: lays the comparisons beside each other, once the formats are known to be there.
        folder: where the report goes.
        requested: keys of `FORMATS`; all where none is named.

    Raises:
        UserError: for an unknown format.

    """
    forms = known_formats(requested or list(FORMATS), FORMATS)
    beside = make()
    written = []
    for file, made_by in (FORMATS[form] for form in forms):
        module, _, name = made_by.partition(":")
        text: Callable[[Beside], str] = getattr(import_module(module), name)
        write_text(folder / file, text(beside))
        written.append(folder / file)
    return written
