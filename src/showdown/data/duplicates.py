"""Find duplicate groups: copies and near-copies of texts. `docs/audit.md` defines near-copies, with the reasons."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from showdown.data.short_copies import one_small_change, short_pairs
from showdown.data.similarity import Encoded, Ints, encode, jaccards, join, pair_threshold, similar_pairs, unique_pairs
from showdown.data.templates import TEMPLATE_TEXTS, find_templates
from showdown.data.truncated import truncated_pairs
from showdown.data.wording import Wording, normalise, wording

TRUNCATED_UP_TO = 0.95
"""At a higher threshold, which requires nearly equal texts, truncated texts do not count as copies."""
_NESTED_TEMPLATES = 2


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Groups of texts, numbered by first appearance. All tuples have one entry for each text, in the order given."""

    duplicate_groups: tuple[int, ...]
    """Number of the duplicate group."""
    exact: tuple[int, ...]
    """Number of the group of exact copies, after normalisation. Each is part of one duplicate group."""
    copy_groups: tuple[int, ...]
    """Number of the group of copies and near-copies, whatever their labels. Each consists of whole duplicate groups."""
    cut_pairs: int = 0
    """Pairs of near-copies in two duplicate groups, because a chain of such pairs was cut."""

    @property
    def exact_copies(self) -> int:
        """Number of texts that repeat an earlier one exactly, after normalisation."""
        return len(self.exact) - len(set(self.exact))

    @property
    def near_copies(self) -> int:
        """Number of different texts that are near-copies of an earlier one."""
        return len(set(self.exact)) - len(set(self.duplicate_groups))


def find_duplicate_groups(texts: Sequence[str], jaccard: float, labels: Sequence[str] | None = None) -> Duplicates:
    """Group copies and near-copies. The same texts in the same order always give the same groups.

    Args:
        texts: the texts. All empty texts are copies of each other.
        jaccard: lowest Jaccard similarity of two near-copies' bags of words. The threshold for their bags of word pairs
            follows from it: what the same number of replaced words leaves. 0.8 allows 11 % of the words to be replaced.
            The rules for short texts and for scripts without spaces also follow from it.
        labels: the label of each text. Near-copies with different labels are not joined, because the words in which
            they differ carry the label. Exact copies are joined whatever their labels.

    """
    first_of: dict[str, int] = {}
    exact = np.array([first_of.setdefault(normalise(text), len(first_of)) for text in texts], dtype=np.int64)
    different = [wording(text) for text in first_of]
    if len(different) < 2:
        same = tuple(exact.tolist())
        return Duplicates(duplicate_groups=same, exact=same, copy_groups=same)
    encoded = encode(different, jaccard)
    left, right = _near_pairs(different, encoded, jaccard)
    if jaccard <= TRUNCATED_UP_TO:
        more = truncated_pairs(different, join(np.arange(len(different), dtype=np.int64), left, right))
        left, right = unique_pairs(np.concatenate([left, more[0]]), np.concatenate([right, more[1]]))
    alone = np.arange(len(different), dtype=np.int64)
    groups = join(alone, left, right)
    if labels is not None:
        agree = _share_a_label(exact, labels, left, right)
        left, right = left[agree], right[agree]
    roots = _cut_chains(encoded, left, right, pair_threshold(jaccard))
    return Duplicates(
        duplicate_groups=_numbered(roots[exact]),
        exact=tuple(exact.tolist()),
        copy_groups=_numbered(groups[exact]),
        cut_pairs=int(np.sum(roots[left] != roots[right])),
    )


def _numbered(groups: Ints) -> tuple[int, ...]:
    """Return the groups numbered from 0, in order of first appearance."""
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups.tolist())


def _near_pairs(texts: Sequence[Wording], encoded: Encoded, jaccard: float, depth: int = 0) -> tuple[Ints, Ints]:
    """Return the pairs that are near-copies. Of texts that fill in a template, only the fillings are compared."""
    long_left, long_right = similar_pairs(encoded, np.flatnonzero(~encoded.short))
    agree = one_small_change(encoded, texts, long_left, long_right)
    long_left, long_right = long_left[agree], long_right[agree]
    short_left, short_right = short_pairs(encoded, texts, jaccard)
    left, right = unique_pairs(np.concatenate([long_left, short_left]), np.concatenate([long_right, short_right]))
    templates = find_templates(encoded, left, right)
    if not len(templates.texts) or depth == _NESTED_TEMPLATES:
        return left, right
    groups = join(np.arange(len(texts), dtype=np.int64), left, right)
    filled = np.zeros(len(texts), dtype=bool)
    filled[templates.texts] = True
    kept = ~(filled[left] | filled[right])
    fillings = [_part(texts[index], places) for index, places in zip(templates.texts, templates.fillings, strict=True)]
    inner_left, inner_right = _near_pairs(fillings, encode(fillings, jaccard), jaccard, depth + 1)
    inner_left, inner_right = templates.texts[inner_left], templates.texts[inner_right]
    same_template = groups[inner_left] == groups[inner_right]
    inner_left, inner_right = inner_left[same_template], inner_right[same_template]
    near = jaccards(encoded.bags, inner_left, inner_right) >= pair_threshold(jaccard)
    return np.concatenate([left[kept], inner_left[near]]), np.concatenate([right[kept], inner_right[near]])


def _part(text: Wording, places: Ints) -> Wording:
    """Return the words at these places of a text."""
    return Wording(
        words=tuple(text.words[place] for place in places),
        symbols=text.symbols,
        script=text.script if len(places) else "spaced",
    )


def _share_a_label(exact: Ints, labels: Sequence[str], left: Ints, right: Ints) -> np.typing.NDArray[np.bool_]:
    """Return whether both texts of each pair share a label. A text whose exact copies disagree has several labels."""
    labels_of: dict[int, set[str]] = defaultdict(set)
    for group, label in zip(exact.tolist(), labels, strict=True):
        labels_of[group].add(label)
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return np.array([not labels_of[first].isdisjoint(labels_of[second]) for first, second in pairs], dtype=bool)


def _cut_chains(encoded: Encoded, left: Ints, right: Ints, least: float) -> Ints:
    """Return the group of each text. Pairs are joined, but long chains of pairs are cut: shape (texts,).

    Groups of fewer than `TEMPLATE_TEXTS` texts stay whole. In a larger one, the text with most near-copies is a
    centre. Its duplicate group holds its near-copies, and connected texts that overlap the centre as two copies of one
    lost original would (`least`). The remaining texts get further centres.
    """
    total = len(encoded.lengths)
    groups = join(np.arange(total, dtype=np.int64), left, right)
    sizes = np.bincount(groups, minlength=total)
    large = sizes[groups] >= TEMPLATE_TEXTS
    if not large.any():
        return groups
    neighbours: dict[int, list[int]] = defaultdict(list)
    inside = large[left]
    for first, second in zip(left[inside].tolist(), right[inside].tolist(), strict=True):
        neighbours[first].append(second)
        neighbours[second].append(first)
    roots = groups.copy()
    roots[large] = -1
    for centre in sorted(neighbours, key=lambda text: (-len(neighbours[text]), text)):
        if roots[centre] < 0:
            group = _around(encoded, centre, neighbours, roots, least)
            roots[group] = total + centre
    return roots


def _around(encoded: Encoded, centre: int, neighbours: dict[int, list[int]], roots: Ints, least: float) -> list[int]:
    """Return a centre and the texts around it that are in no group yet."""
    taken = {centre, *(text for text in neighbours[centre] if roots[text] < 0)}
    edge = sorted(taken - {centre})
    seen = set(taken)
    while edge:
        further = sorted({text for member in edge for text in neighbours[member]} - seen)
        seen.update(further)
        free = np.array([text for text in further if roots[text] < 0], dtype=np.int64)
        overlap = jaccards(encoded.bags, np.full(len(free), centre), free)
        edge = free[overlap >= least].tolist()
        taken.update(edge)
    return sorted(taken)
