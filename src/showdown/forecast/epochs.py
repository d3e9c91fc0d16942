"""How many epochs a training takes, which nobody knows beforehand where it ends by itself."""

from dataclasses import dataclass

from showdown.core.forecast import Range
from showdown.core.spec import SharedProtocol, TuningSpec
from showdown.forecast.fitted import EPOCHS, TIME_SPREAD


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """Epochs of a training: equal where the number is known."""

    low: float
    expected: float
    high: float

    def scaled(self, seconds: float, path: str) -> Range:
        """Return the seconds of a training whose epochs are expected to take so many each."""
        low, high = TIME_SPREAD[path]
        return Range(low=low * self.low * seconds, expected=self.expected * seconds, high=high * self.high * seconds)


def epochs_of(protocol: SharedProtocol, most: int) -> Epochs:
    """Return the epochs of a training: all of them without patience, else what trainings usually take."""
    if protocol.patience_epochs is None:
        return Epochs(low=most, expected=most, high=most)
    least = min(most, protocol.patience_epochs + 2)
    low, usual, high = (min(most, max(least, number)) for number in EPOCHS)
    return Epochs(low=low, expected=usual, high=high)


def trial_epochs(protocol: SharedProtocol) -> Epochs:
    """Return the epochs of a trial of the search for learning rates."""
    assert isinstance(protocol.tuning, TuningSpec)
    return epochs_of(protocol, protocol.tuning.epochs or protocol.epochs)
