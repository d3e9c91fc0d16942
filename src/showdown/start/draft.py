"""A comparison while it is being chosen, with the reason for each choice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from showdown.core.spec import Comparison


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A comparison, what of it is written into its file, and why."""

    comparison: Comparison
    shown: tuple[str, ...] = ()
    """Keys that the file names, dotted, beside those that every file has."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Reasons by dotted key: a comment in the file."""
    named: frozenset[str] = frozenset()
    """Keys that the user set, dotted: they stay as they are."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Methods that are no rows, with the reason."""

    def with_data(self, key: str, value: object, why: str) -> Self:
        """Return the draft with another value of `data`."""
        data = self.comparison.data.model_copy(update={key: value})
        return self._changed({"data": data}, f"data.{key}", why)

    def with_protocol(self, key: str, value: object, why: str) -> Self:
        """Return the draft with another value of `protocol`."""
        protocol = self.comparison.protocol.model_copy(update={key: value})
        return self._changed({"protocol": protocol}, f"protocol.{key}", why)

    def with_seeds(self, seeds: list[int], why: str) -> Self:
        """Return the draft with other seeds."""
        return self._changed({"seeds": seeds}, "seeds", why)

    def taken_over(self, other: Self, key: str) -> Self:
        """Return another draft with this one's value of a dotted key, and its reason."""
        section, _, name = key.partition(".")
        value = getattr(getattr(self.comparison, section), name)
        changed = (other.with_data if section == "data" else other.with_protocol)(name, value, "")
        why = {place: reason for place, reason in changed.why.items() if place != key}
        if key in self.shown:
            return replace(changed, why={**why, key: self.why[key]} if key in self.why else why)
        return replace(changed, why=why, shown=tuple(place for place in changed.shown if place != key))

    def without(self, method: str, why: str) -> Self:
        """Return the draft without a method."""
        methods = {row: written for row, written in self.comparison.methods.items() if row != method}
        comparison = self.comparison.model_copy(update={"methods": methods})
        return replace(self, comparison=comparison, left_out={**self.left_out, method: why})

    def is_named(self, key: str) -> bool:
        """Return whether the user set a key, or one below it."""
        return any(name == key or name.startswith(f"{key}.") for name in self.named)

    def _changed(self, update: dict[str, Any], key: str, why: str) -> Self:
        if self.is_named(key):
            return self
        return replace(
            self,
            comparison=self.comparison.model_copy(update=update),
            shown=tuple(dict.fromkeys([*self.shown, key])),
            why={**self.why, key: why} if why else self.why,
        )
