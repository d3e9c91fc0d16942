"""What a pass does as a function of its rows and their length, from two passes of other sizes.

Every dimension and every size in bytes of a pass over rows of one length is a constant times a power of the rows and
one of the length: an activation of BERT has rows x length x width numbers, its attention mask rows x length x length.
Two passes tell which, operation by operation, so that the work at any other size follows without another pass.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from showdown.forecast.trace import ATTENTION, CAUSAL, Noted, Trace

Powers = tuple[int, int]
"""Of the rows and of their length."""
_POWERS: tuple[Powers, ...] = ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class Size:
    """A number that grows with rows and length."""

    coefficient: float
    powers: Powers

    def at(self, rows: int, length: int) -> float:
        """Return it for a pass over so many rows of a length."""
        return self.coefficient * grown(self.powers, rows, length)


def grown(powers: Powers, rows: int, length: int) -> int:
    """Return what a coefficient is multiplied by."""
    return int(rows ** powers[0] * length ** powers[1])


@dataclass(kw_only=True)
class Forms:
    """A pass over any number of rows of any one length."""

    products: Counter[tuple[Size, ...]] = field(default_factory=Counter)
    attentions: Counter[tuple[tuple[Size, ...], bool]] = field(default_factory=Counter)
    moved: defaultdict[Powers, float] = field(default_factory=lambda: defaultdict(float))
    """Coefficients of the bytes. So for the next."""
    kept: defaultdict[Powers, float] = field(default_factory=lambda: defaultdict(float))
    made: set[Size] = field(default_factory=set)
    """Bytes of the tensors that the forward pass makes."""
    kernels: int = 0

    def at(self, rows: int, length: int) -> Trace:
        """Return what a pass over so many rows of a length does."""
        found = Trace(kernels=self.kernels)
        for shape, times in self.products.items():
            batch, m, k, n = (round(size.at(rows, length)) for size in shape)
            found.products[batch, m, k, n] += times
        for (shape, causal), times in self.attentions.items():
            around, queries, keys, width = (round(size.at(rows, length)) for size in shape)
            found.attentions[around, queries, keys, width, causal] += times
        found.moved_bytes = sum(one * grown(powers, rows, length) for powers, one in self.moved.items())
        found.saved_bytes = sum(one * grown(powers, rows, length) for powers, one in self.kept.items())
        found.largest_activation_bytes = max((size.at(rows, length) for size in self.made), default=0.0)
        return found

    def with_more(self, longer: "Forms", times: int) -> "Forms":
        """Return the pass of a network with more layers.

        Args:
            longer: the pass of a network with one period of layers more than this one's.
            times: how many periods more there are.

        """
        found = Forms(made=self.made | longer.made, kernels=self.kernels + times * (longer.kernels - self.kernels))
        for name in ("products", "attentions", "moved", "kept"):
            few, many, all_of = getattr(self, name), getattr(longer, name), getattr(found, name)
            for key in few.keys() | many.keys():
                all_of[key] = few.get(key, 0) + times * (many.get(key, 0) - few.get(key, 0))
        return found


def forms_of(small: Trace, small_at: tuple[int, int], large: Trace, large_at: tuple[int, int]) -> Forms | None:
    """Return what two passes of one network have in common; None where they differ in more than their sizes.

    Args:
        small: one pass.
        small_at: its rows and their length.
        large: another.
        large_at: its rows and their length, such that `are_told_apart`.

    """
    if len(small.noted) != len(large.noted):
        return None
    found = Forms(kernels=large.kernels)
    for one, other in zip(small.noted, large.noted, strict=True):
        sizes = _sizes(one, small_at, other, large_at)
        if sizes is None:
            return None
        _add(found, one[0], sizes)
    return found if small.kernels == large.kernels else None


def are_told_apart(small_at: tuple[int, int], large_at: tuple[int, int]) -> bool:
    """Return whether each power grows by another factor from one size of pass to the other."""
    factors = {grown(powers, *large_at) / grown(powers, *small_at) for powers in _POWERS}
    return len(factors) == len(_POWERS)


def _sizes(one: Noted, small_at: tuple[int, int], other: Noted, large_at: tuple[int, int]) -> tuple[Size, ...] | None:
    (kind, few), (other_kind, many) = one, other
    if kind != other_kind or len(few) != len(many):
        return None
    found = []
    for small, large in zip(few, many, strict=True):
        size = _size(small, small_at, large, large_at)
        if size is None:
            return None
        found.append(size)
    return tuple(found)


def _size(small: int, small_at: tuple[int, int], large: int, large_at: tuple[int, int]) -> Size | None:
    for powers in _POWERS:
        below, above = grown(powers, *small_at), grown(powers, *large_at)
        if small * above == large * below:
            return Size(large / above, powers)
    return None


def _add(found: Forms, kind: str, sizes: Sequence[Size]) -> None:
    if kind == "product":
        found.products[tuple(sizes)] += 1
    elif kind in (ATTENTION, CAUSAL):
        found.attentions[tuple(sizes), kind == CAUSAL] += 1
    elif kind == "made":
        found.made.update(sizes)
    else:
        bytes_of = found.moved if kind == "moved" else found.kept
        for size in sizes:
            bytes_of[size.powers] += size.coefficient
