"""The contract of a method: what it needs, what it fits, what it saves and loads again.

Two kinds exist. A `FittedMethod` fits itself (a linear model, a zero-shot baseline). A `TunedMethod` fine-tunes a
network: it says how the network is loaded and which parameters learn, and the one training loop does the rest.
Method modules import torch and its kin inside their functions, so that listing the methods costs nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from showdown.core.record import ScoreKind
from showdown.core.spec import ModelSpec, Needs, SharedProtocol, Strict
from showdown.core.traits import Traits, fine_tuned

LearningRate = Annotated[float, Field(gt=0.0, le=1.0)]
_HALF_DECADE = 10.0**0.5
_RATE, _RATE_WIDTH, _RATE_POWER = 5e-5, 2000, 0.781
"""The default rate of full fine-tuning: at which width it holds, and how it falls with the width."""

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    Scores2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """Rows of one side of a split, in file order. The three tuples have one length."""

    texts: tuple[str, ...]
    targets: tuple[int, ...]
    """Index into the labels of the comparison."""
    row_ids: tuple[int, ...]
    """1-based data row of the source."""
    clusters: tuple[int, ...]
    """Duplicate cluster of each row; two rows share a number when one is a copy of the other."""

    def __len__(self) -> int:
        """Rows."""
        return len(self.texts)


class MethodSettings(Strict):
    """Settings of a method. Each method declares its own; unknown keys are errors."""


class TunedSettings(MethodSettings):
    """What every method that fine-tunes a network lets its user set."""

    learning_rate: LearningRate | None = None
    """Peak rate, where the protocol tunes none; by default by a rule for the method and the network's width."""
    learning_rate_range: tuple[LearningRate, LearningRate] | None = None
    """Lowest and highest rate that tuning begins with; by default half a decade to either side of `learning_rate`."""

    @model_validator(mode="after")
    def _range_goes_up(self) -> Self:
        if self.learning_rate_range and self.learning_rate_range[0] >= self.learning_rate_range[1]:
            raise ValueError("learning_rate_range goes from a lower to a higher rate")
        return self


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a network runs and in which number type; the engine chooses it once for all methods of a comparison."""

    device: str
    """`cpu` or `cuda`."""
    dtype: str
    """`float32` or `bfloat16`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a method is given: nothing here differs between the methods of one comparison."""

    labels: tuple[str, ...]
    model: ModelSpec
    protocol: SharedProtocol
    placement: Placement
    seed: int


class Classifier(ABC):
    """A fitted thing that scores texts. It answers after a save and a reload exactly as before."""

    score_kind: ScoreKind
    warm_up_rounds: int = 0
    """Rounds of calls after which it is as fast as it will be, beyond the very first call."""

    @abstractmethod
    def scores(self, texts: Sequence[str], *, batch_rows: int) -> "Scores2D":
        """Score each text for each label: shape (rows, labels), the highest wins."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What fitting gave."""

    classifier: Classifier
    trainable_parameters: int
    total_parameters: int
    notes: tuple[str, ...] = ()


class Method(ABC):
    """A way to get from labelled texts to a classifier."""

    title: ClassVar[str]
    """Its name in tables and reports."""
    summary: ClassVar[str]
    """One line for `showdown methods`."""
    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    learns: ClassVar[bool] = True
    """False for a baseline that no label teaches anything."""
    traits: ClassVar[Traits]
    """What the statistics and the sentences of a report must know of it; each method declares its own."""

    def __init__(self, settings: MethodSettings) -> None:
        self.settings: Any = settings

    @classmethod
    @abstractmethod
    def needs(cls) -> Needs:
        """Return what it works with: a change of any other setting leaves its finished runs as they are."""

    def unsupported_reason(self) -> str | None:
        """Why the method cannot run on this machine and the mend, or None where it can."""
        return None


class FittedMethod(Method):
    """A method that fits itself, without the training loop."""

    @classmethod
    def needs(cls) -> Needs:
        """Return `network` for a method that reads tokens, which are those of a pretrained network; else `text`."""
        return "network" if cls.traits.reads == "tokens" else "text"

    @abstractmethod
    def fit(self, train: LabelledTexts, job: Job) -> Fitted:
        """Fit on the training rows.

        Raises:
            Unavailable: when something that it needs cannot be had here.

        """

    @abstractmethod
    def save(self, classifier: Any, folder: Path) -> None:
        """Write the fitted classifier into an existing, empty folder, without pickle."""

    @abstractmethod
    def load(self, folder: Path, job: Job) -> Classifier:
        """Read what `save` wrote."""


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """How a tuned method wants the pretrained network loaded."""

    four_bit: bool = False
    """NF4 with double quantisation, everywhere but in the head."""


class TunedMethod(Method):
    """A method that fine-tunes a network in the one training loop."""

    traits: ClassVar[Traits] = fine_tuned()
    rate_factor: ClassVar[float] = 1.0
    """Times the rate that full fine-tuning takes: what the method's default rate is."""
    leaves_network: ClassVar[bool] = False
    """Whether `strip` gives the pretrained network back as it was loaded, so that another run can start from it."""

    @classmethod
    def needs(cls) -> Needs:
        """Return `training`: the training loop, with all settings of it."""
        return "training"

    @property
    def options(self) -> NetworkOptions:
        """How the network is loaded."""
        return NetworkOptions()

    def learning_rate(self, width: int) -> float:
        """Return the peak learning rate for a network of this width: the user's, or the rule's.

        The rule is 5e-5 times (2000 / width) to the power of 0.781 for full fine-tuning, and `rate_factor` times that:
        ten times for LoRA (Schulman et al., "LoRA Without Regret", 2025). `benchmarks/rates.py` measures what it loses
        to the best rate of a wide grid.
        """
        if self.settings.learning_rate is not None:
            return float(self.settings.learning_rate)
        return float(f"{min(1.0, self.rate_factor * _RATE * (_RATE_WIDTH / width) ** _RATE_POWER):.2g}")

    def learning_rate_range(self, width: int) -> tuple[float, float]:
        """Return the lowest and the highest rate that tuning begins with, half a decade to either side by default."""
        given = self.settings.learning_rate_range
        if given is not None:
            return float(given[0]), float(given[1])
        rate = self.learning_rate(width)
        return rate / _HALF_DECADE, min(1.0, rate * _HALF_DECADE)

    @abstractmethod
    def adapt(self, network: Any) -> "torch.nn.Module":
        """Return the module to train, with `requires_grad` set on exactly what learns; the head always does.

        Args:
            network: a `showdown.models.network.Network`: the loaded classifier and the names of its parts.

        """

    def strip(self, module: Any) -> "torch.nn.Module | None":
        """Take away what `adapt` put on a network and return it as it was loaded, for another training to start from.

        None where training changed the network itself, so that it must be loaded anew.
        """
        return None

    @abstractmethod
    def save(self, module: "torch.nn.Module", folder: Path) -> None:
        """Write what was trained into an existing, empty folder, as safetensors."""

    @abstractmethod
    def usage(self, module: "torch.nn.Module") -> Any:
        """Return how others open what `save` wrote: a `showdown.models.companions.Usage`, for its card."""

    @abstractmethod
    def reload(self, folder: Path, load_network: "Callable[[Path | None], Any]") -> "torch.nn.Module":
        """Return the trained module from what `save` wrote.

        Args:
            folder: what `save` wrote.
            load_network: loads the pretrained network (None) or a saved one (its folder) as the job places it.

        """
