"""The table of figures, in the order in which a report shows them."""

from collections.abc import Callable
from pathlib import Path

from showdown.core.record import Results
from showdown.report.figures.confusion import confusion
from showdown.report.figures.coverage import coverage
from showdown.report.figures.curves import training_loss, validation_score
from showdown.report.figures.drawn import UNCHECKED
from showdown.report.figures.elsewhere import elsewhere
from showdown.report.figures.figure import Figure
from showdown.report.figures.label_f1 import label_f1
from showdown.report.figures.learning import learning
from showdown.report.figures.material import Material
from showdown.report.figures.memory_over_time import memory_over_time
from showdown.report.figures.memory_split import memory_split
from showdown.report.figures.pareto import pareto_fronts
from showdown.report.figures.reliability import reliability
from showdown.report.figures.scores import scores
from showdown.report.figures.system import system
from showdown.report.figures.trade_off import trade_off
from showdown.verdict.model import Verdict

GALLERY: tuple[Callable[[Material], Figure | None], ...] = (
    trade_off,
    scores,
    pareto_fronts,
    elsewhere,
    training_loss,
    validation_score,
    learning,
    memory_over_time,
    memory_split,
    system,
    coverage,
    reliability,
    label_f1,
    confusion,
)


@UNCHECKED
def figures_of(results: Results, verdict: Verdict, folder: Path) -> list[Figure]:
    """Return all figures that a comparison has something to show in.

    Args:
        results: its records.
        verdict: what can be said of it.
        folder: where its files are; a file of curves or samples that is missing is passed over.

    """
    material = Material(results=results, verdict=verdict, folder=folder)
    return [figure for make in GALLERY if (figure := make(material))]
