"""The contract of a form: which models it takes, how it is written, and how what was written answers."""

import importlib.util
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from showdown.core.predictor import Predictor
from showdown.exporting.source import Source


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """What a form wrote, beside its files."""

    code: str
    """How it is used in Python, without Showdown: the block of code in its card."""
    library: str
    """As the Hugging Face hub names it in the metadata of a card."""
    notes: tuple[str, ...] = ()
    """What a user of the files must know: sentences without a full stop."""
    most_logit_difference: float | None = None
    """See `ExportRecord`; so for the next."""
    compared_rows: int = 0


class Form(ABC):
    """A form in which models are shipped. It has no state."""

    title: ClassVar[str]
    """Its name in tables."""
    summary: ClassVar[str]
    """One line for `showdown export --help` and the documentation."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Python packages that writing or checking it needs beyond Showdown's own, as they are imported."""
    install: ClassVar[str] = ""
    """The command that brings them."""

    @abstractmethod
    def refusal(self, source: Source) -> str | None:
        """Return why a model cannot have this form, as the end of a sentence that begins with it; None where it can."""

    def missing(self) -> str | None:
        """Return which packages are not installed and how to get them, or None."""
        lacking = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"{', '.join(lacking)} not installed; {self.install}" if lacking else None

    @abstractmethod
    def write(self, source: Source, folder: Path) -> Shipped:
        """Write the files into an existing, empty folder.

        Raises:
            UserError: where something in the model stands against it.

        """

    @abstractmethod
    def open(self, source: Source, folder: Path) -> Predictor:
        """Open the written files as what answers texts: as they are, and not through the trained model."""
