"""The cases of the conformance suite: each a method, a model's family, and a check."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from showdown.core.method import TunedMethod
from showdown.methods.table import METHODS, method_class
from showdown.testing import fitted, tuned
from showdown.testing.workshop import Workshop

Check = Callable[[str, str, Workshop], None]
MODELS = ("bert", "mistral")
"""An encoder and a decoder of `showdown.testing.tiny`."""
TUNED: tuple[Check, ...] = (
    tuned.every_tensor_changes,
    tuned.accumulation_changes_nothing,
    tuned.declares_its_parameters,
    tuned.settings_reach_the_network,
    tuned.differs_from_its_base,
    tuned.strip_leaves_nothing,
    tuned.learns,
    tuned.takes_the_learning_rate,
    tuned.probabilities_sum_to_one,
    tuned.answers_the_same_in_a_fresh_process,
)
FITTED: tuple[Check, ...] = (fitted.fitted_scores_are_sound, fitted.fitted_answers_the_same_after_reload)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One check of one method on one model."""

    method: str
    family: str
    name: str
    check: Check = field(repr=False)

    def __str__(self) -> str:
        """Return what a test of it is called."""
        return f"{self.method}-{self.family}-{self.name}"

    def run(self, workshop: Workshop) -> None:
        """Check it.

        Raises:
            NonConformance: saying what is wrong.

        """
        self.check(self.method, self.family, workshop)


def cases(*methods: str, models: Sequence[str] = MODELS, settings: Mapping[str, Any] | None = None) -> list[Case]:
    """Return the cases of methods.

    Args:
        methods: names of the table, plugins included; by default all.
        models: families of `showdown.testing.tiny` that the methods can use.
        settings: other values than the defaults, for settings whose type suggests none.

    Raises:
        UserError: for a name that is not in the table, or for a plugin that cannot be used.

    """
    found = []
    for method in methods or METHODS:
        for check in TUNED if issubclass(method_class(method), TunedMethod) else FITTED:
            name = check.__name__
            if check is tuned.settings_reach_the_network:
                check = partial(tuned.settings_reach_the_network, others=settings)  # noqa: PLW2901
            found += [Case(method=method, family=family, name=name, check=check) for family in models]
    return found
