"""The contract of a method: what it needs, how it is fitted, saved and loaded.

There are two kinds. A `FittedMethod` fits itself (a linear model, a zero-shot baseline). A `TunedMethod` fine-tunes a
network: it says how the network is loaded, which parameters are trainable and how they are stepped; the training loop
does the rest. Modules of methods import torch and similar libraries inside functions, so that listing methods is fast.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self

from pydantic import Field, model_validator

from showdown.core.examples import Examples
from showdown.core.journal import Journal
from showdown.core.network import NetworkParts
from showdown.core.network_reads import NetworkReads
from showdown.core.parameter_group import ParameterGroup, default_groups
from showdown.core.predictor import Predictor
from showdown.core.spec import ModelSpec, Needs, SharedProtocol
from showdown.core.strict import Strict
from showdown.core.task import Task
from showdown.core.traits import Traits, fine_tuned

LearningRate = Annotated[float, Field(gt=0.0, le=1.0)]
_HALF_DECADE = 10.0**0.5
_RATE, _RATE_WIDTH, _RATE_POWER = 5e-5, 2000, 0.781
"""The default rate of full fine-tuning: at which width it holds, and how it falls with the width."""

if TYPE_CHECKING:
    import torch


class MethodSettings(Strict):
    """Settings of a method. Each method declares its own; unknown keys are errors."""


class TunedSettings(MethodSettings):
    """Settings of every method that fine-tunes a network."""

    learning_rate: LearningRate | None = None
    """Peak rate, unless the protocol tunes it; the default follows from the method and the network's width."""
    learning_rate_range: tuple[LearningRate, LearningRate] | None = None
    """Lowest and highest rate that tuning begins with; by default half a decade to either side of `learning_rate`."""

    @model_validator(mode="after")
    def _range_goes_up(self) -> Self:
        if self.learning_rate_range and self.learning_rate_range[0] >= self.learning_rate_range[1]:
            raise ValueError("learning_rate_range goes from a lower to a higher rate")
        return self


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a network runs and in which number type; chosen once for all methods of a comparison."""

    device: str
    """`cpu` or `cuda`."""
    dtype: str
    """`float32` or `bfloat16`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a method is given; it is the same for all methods of one comparison."""

    task: Task
    labels: tuple[str, ...]
    model: ModelSpec
    protocol: SharedProtocol
    placement: Placement
    seed: int


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The result of fitting."""

    predictor: Predictor
    trainable_parameters: int
    total_parameters: int
    notes: tuple[str, ...] = ()


class Method(ABC):
    """A way to make a model from examples."""

    title: ClassVar[str]
    """Its name in tables and reports."""
    summary: ClassVar[str]
    """One line for `showdown methods`."""
    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    """The tasks that it can do, by their names in a comparison."""
    learns: ClassVar[bool] = True
    """False for a baseline that does not learn from labels."""
    traits: ClassVar[Traits]
    """What the statistics and the sentences of a report must know of it; each method declares its own."""

    def __init__(self, settings: MethodSettings) -> None:
        self.settings: Any = settings

    @classmethod
    @abstractmethod
    def needs(cls) -> Needs:
        """Return what it works with: a change of any other setting leaves its finished runs as they are."""

    def unfit_reason(self, task: str) -> str | None:
        """Return why its settings do not go with a task, and what to do; None where they do."""
        return None

    def unsupported_reason(self) -> str | None:
        """Return why the method cannot run on this machine and how to fix it, or None where it can."""
        return None


class FittedMethod(Method):
    """A method that fits itself, without the training loop."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings)
        self.journal = Journal()
        """Where a long fit finds what it did before it was interrupted, and keeps what it does; a run sets its own."""

    @classmethod
    def needs(cls) -> Needs:
        """Return `network` for a method that reads tokens, which are those of a pretrained network; else `text`."""
        return "network" if cls.traits.reads == "tokens" else "text"

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return how often it reads rows with a pretrained network; for a forecast, and only where it reads tokens.

        Args:
            train: training rows.
            validation: validation rows.

        """
        del train, validation
        return NetworkReads()

    @abstractmethod
    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Fit on the training examples.

        Args:
            train: what it learns from.
            job: what it is fitted for.
            validation: what it may choose its own settings by, as a trained network chooses its epoch.

        Raises:
            UserError: when the rows are not enough for it.
            Unavailable: when something that it needs is missing here.

        """

    @abstractmethod
    def save(self, predictor: Any, folder: Path) -> None:
        """Write the fitted predictor into an existing, empty folder, without pickle."""

    @abstractmethod
    def load(self, folder: Path, job: Job) -> Predictor:
        """Read what `save` wrote."""


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """How a method loads the pretrained network."""

    four_bit: bool = False
    """NF4 with double quantisation, for all linear layers but those of the head."""
    fp8: bool = False
    """e4m3 with a scale for each output, for the same layers, which are frozen and round their inputs too."""


class AdaptsNetwork(Protocol):
    """What the memory of a network depends on: how it is loaded, what learns in it, and what steps that."""

    @property
    def options(self) -> NetworkOptions:
        """How the network is loaded."""

    @property
    def optimizer(self) -> str:
        """A key of `showdown.engine.optim.table.OPTIMIZERS`."""

    @property
    def virtual_tokens(self) -> int:
        """Tokens that it puts to every row, beside those of the text."""

    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Return the module with `requires_grad` set on exactly what learns."""


class TunedMethod(Method):
    """A method that fine-tunes a network in the one training loop."""

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "generation"})
    traits: ClassVar[Traits] = fine_tuned()
    rate_factor: ClassVar[float] = 1.0
    """The default learning rate, as a multiple of that of full fine-tuning."""
    leaves_network: ClassVar[bool] = False
    """Whether `strip` returns the pretrained network as it was loaded, so that another run can start from it."""

    @classmethod
    def needs(cls) -> Needs:
        """Return `training`: the training loop, with all settings of it."""
        return "training"

    @property
    def options(self) -> NetworkOptions:
        """How the network is loaded."""
        return NetworkOptions()

    @property
    def virtual_tokens(self) -> int:
        """Tokens that it puts to every row, beside those of the text; they take positions and memory as others do."""
        return 0

    @property
    def optimizer(self) -> str:
        """The optimizer that steps it: a key of `showdown.engine.optim.table.OPTIMIZERS`."""
        return "adamw"

    def parameter_groups(self, module: "torch.nn.Module") -> list[ParameterGroup]:
        """Return the trainable parameters, grouped by learning rate and weight decay.

        By default matrices decay and vectors do not, at one rate.

        Args:
            module: what `adapt` returned.

        """
        return default_groups(module.named_parameters())

    def learning_rate(self, width: int) -> float:
        """Return the peak learning rate for a network of this width: the user's, or the rule's.

        The rule is 5e-5 times (2000 / width) to the power of 0.781 for full fine-tuning, times `rate_factor`, which is
        10 for LoRA (Schulman et al., "LoRA Without Regret", 2025).
        `benchmarks/statistics/learning_rates.py` measures what it loses to the best rate of a wide grid.
        """
        if self.settings.learning_rate is not None:
            return float(self.settings.learning_rate)
        return float(f"{min(1.0, self.rate_scale() * _RATE * (_RATE_WIDTH / width) ** _RATE_POWER):.2g}")

    def rate_scale(self) -> float:
        """Return the default rate as a multiple of that of full fine-tuning with AdamW; settings may change it."""
        return self.rate_factor

    def learning_rate_range(self, width: int) -> tuple[float, float]:
        """Return the lowest and the highest rate that tuning begins with, half a decade to either side by default."""
        given = self.settings.learning_rate_range
        if given is not None:
            return float(given[0]), float(given[1])
        rate = self.learning_rate(width)
        return rate / _HALF_DECADE, min(1.0, rate * _HALF_DECADE)

    @abstractmethod
    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Return the module to train, with `requires_grad` set on exactly the trainable parameters. The head always is.

        The engine takes the network itself, or PEFT's model around it whose layers PEFT replaced in place.

        Args:
            network: the loaded classifier and the names of its parts; on the meta device where memory is planned.

        Raises:
            Unavailable: when the method cannot work on this network.

        """

    def check(self, network: NetworkParts) -> None:
        """Check the settings against a network without weights, before any run starts.

        By default the parameters that learn are counted, which fails where a setting names what the network has not.

        Raises:
            UserError: naming the setting and what the network has.
            Unavailable: when the method cannot work on this network: its row then says so.

        """
        self.declared_parameters(network)

    @abstractmethod
    def declared_parameters(self, network: NetworkParts) -> int:
        """Return the number of trainable parameters, computed from shapes before `adapt` changes the network.

        Args:
            network: as `adapt` is given it.

        """

    def strip(self, module: "torch.nn.Module") -> "torch.nn.Module | None":
        """Undo `adapt` and training, and return the network as it was loaded, for another training to start from.

        Return None where training changed the network itself, so that it must be loaded again.
        """
        return None

    @abstractmethod
    def save(self, module: "torch.nn.Module", folder: Path) -> None:
        """Write the trained parameters into an existing, empty folder, as safetensors."""

    @abstractmethod
    def usage(self, module: "torch.nn.Module") -> Any:
        """Return how to open what `save` wrote without Showdown: a `showdown.models.companions.Usage`, for its card."""

    @abstractmethod
    def reload(self, folder: Path, load_network: "Callable[[Path | None], NetworkParts]") -> "torch.nn.Module":
        """Return the trained module from what `save` wrote.

        Args:
            folder: what `save` wrote.
            load_network: loads the pretrained network (None) or a saved one (its folder) as the job places it.

        Raises:
            ValueError: when the folder lacks a tensor, or holds one too many.

        """
