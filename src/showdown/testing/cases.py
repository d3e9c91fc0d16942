"""The cases of the conformance suite: each a method, a model's family, and a check."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from showdown.core.method import TunedMethod
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.methods.table import METHODS, method_class
from showdown.testing import fitted, tuned, writing
from showdown.testing.tiny import DECODERS
from showdown.testing.workshop import Workshop

Check = Callable[[str, str, Workshop], None]
MODELS = ("bert", "mistral")
"""An encoder and a decoder of `showdown.testing.tiny`."""
_TRAINING: tuple[Check, ...] = (
    tuned.every_tensor_changes,
    tuned.accumulation_changes_nothing,
    tuned.declares_its_parameters,
    tuned.settings_reach_the_network,
    tuned.differs_from_its_base,
    tuned.strip_leaves_nothing,
    tuned.learns,
    tuned.takes_the_learning_rate,
    tuned.answers_the_same_in_a_fresh_process,
)
_WRITING: tuple[Check, ...] = (writing.writes_soundly, writing.losses_are_of_the_wanted_answers)
TUNED: dict[str, tuple[Check, ...]] = {
    CLASSIFICATION: (*_TRAINING, tuned.probabilities_sum_to_one),
    GENERATION: (*_TRAINING, *_WRITING),
}
"""By task."""
FITTED: dict[str, tuple[Check, ...]] = {
    CLASSIFICATION: (fitted.fitted_scores_are_sound, fitted.fitted_answers_the_same_after_reload),
    GENERATION: (*_WRITING, fitted.fitted_answers_the_same_after_reload, fitted.fitted_needs_training_rows),
}
"""By task."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One check of one method on one model in one task."""

    method: str
    family: str
    task: str
    name: str
    check: Check = field(repr=False)

    def __str__(self) -> str:
        """Return what a test of it is called."""
        task = "" if self.task == CLASSIFICATION else f"-{self.task}"
        return f"{self.method}-{self.family}{task}-{self.name}"

    def run(self, workshop: Workshop) -> None:
        """Check it.

        Raises:
            NonConformance: saying what is wrong.

        """
        self.check(self.method, self.family, workshop.of(self.task))


def cases(*methods: str, models: Sequence[str] = MODELS, settings: Mapping[str, Any] | None = None) -> list[Case]:
    """Return the cases of methods, in each of their tasks.

    Args:
        methods: names of the table, plugins included; by default all.
        models: families of `showdown.testing.tiny` that the methods can use; decoders alone write text.
        settings: other values than the defaults, for settings whose type suggests none.

    Raises:
        UserError: for a name that is not in the table, or for a plugin that cannot be used.

    """
    found = []
    for method in methods or METHODS:
        kind = method_class(method)
        for task, checks in (TUNED if issubclass(kind, TunedMethod) else FITTED).items():
            families = [family for family in models if task == CLASSIFICATION or family in DECODERS]
            for check in checks if task in kind.tasks else ():
                name = check.__name__
                if check is tuned.settings_reach_the_network:
                    check = partial(tuned.settings_reach_the_network, others=settings)  # noqa: PLW2901
                found += [Case(method=method, family=one, task=task, name=name, check=check) for one in families]
    return found
