"""Steps of a long fit, so that a fit that was interrupted goes on from the last one."""

from collections.abc import Mapping

Step = Mapping[str, float]
"""What one step found: numbers by name."""


class Journal:
    """Keeps the finished steps of a fit. This one keeps them in memory; that of a run writes each to the disk at once.

    A method that fits itself for minutes reads `steps` first, and adds what it does beyond them.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        """Finished ones, in their order; at first those of an interrupted fit of the same run."""

    def add(self, step: Step) -> None:
        """Keep a finished step."""
        self.steps.append(step)

    def tell(self, doing: str) -> None:
        """Tell the user what begins, such as `prompts on 16 rows`. Here nobody listens."""
        del doing
