"""The table of report formats: a name and what writes it into a comparison's folder."""

from collections.abc import Callable
from pathlib import Path

from showdown.core.record import Results
from showdown.report.markdown import write_markdown
from showdown.verdict.model import Verdict

FORMATS: dict[str, Callable[[Results, Verdict, Path], Path]] = {
    "markdown": write_markdown,
}
