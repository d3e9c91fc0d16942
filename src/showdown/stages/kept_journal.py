"""The journal of a fit, in the run's folder."""

from showdown.core.files import write_json
from showdown.core.journal import Journal, Step
from showdown.stages.context import StageContext
from showdown.stages.results import FitProgress

STEPS_FILE = "steps.json"


class KeptJournal(Journal):
    """Writes each step to the disk at once, with what the fit has taken so far."""

    def __init__(self, context: StageContext) -> None:
        """Read the steps of an interrupted fit, and charge their time to the clock.

        Args:
            context: of the stage. A damaged file is told of, and the fit starts again.

        """
        super().__init__()
        self._context, self._path = context, context.folder / STEPS_FILE
        try:
            done = FitProgress.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return
        except ValueError:
            context.events.say(f"{self._path} is damaged; the search starts again")
            return
        context.clock.add(done.phases)
        context.events.messages.extend(done.notes)
        context.events.say(f"search continued after {len(done.steps)} step{'s' * (len(done.steps) != 1)}")
        self.steps = list(done.steps)

    def add(self, step: Step) -> None:
        """Keep a finished step."""
        super().add(step)
        self._context.clock.pause()
        done = FitProgress(
            steps=[dict(one) for one in self.steps],
            phases=self._context.clock.phases(),
            notes=self._context.events.messages,
        )
        write_json(self._path, done.model_dump())

    def tell(self, doing: str) -> None:
        """Tell the user what begins."""
        self._context.events.phase(doing)
