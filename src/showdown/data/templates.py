"""Find texts that fill in one template, so that only their fillings are compared.

Letters with the same signature and filled-in forms are nearly equal. They differ only in their fillings, so the
template's words must not count. Two signs show a template: many texts are similar, and they differ at the same places,
where most of them have a filling of their own. Edited copies of one text differ at different places, and at each place
the other copies agree.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix

from showdown.data.similarity import Encoded, Ints, occurrences

TEMPLATE_TEXTS = 8
"""Fewest similar texts that can share a template; fewer are copies."""
_COMMON = 2 / 3
"""Words that at least this share of the similar texts have belong to the template."""
_RARE = 0.4
"""Words that fewer of them have are fillings. Of two variants of a word, each occurs in about half of the texts."""
_OWN_FOR_A_MISSING = 3
"""Own grams for each missing common gram, above which a text fills in a template."""
_TEXTS_AT_ONCE = 5_000

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Templates:
    """Texts that fill in a template."""

    texts: Ints
    """Their indices, ascending."""
    fillings: tuple[Ints, ...]
    """For each text, the places of the words that fill in the template."""


def find_templates(encoded: Encoded, left: Ints, right: Ints) -> Templates:
    """Find the texts that fill in a template.

    Args:
        encoded: all texts.
        left: with `right`, similar pairs, each once. Pairs of large groups may be incomplete.
        right: see `left`.

    """
    total = len(encoded.lengths)
    similar = _symmetric(left, right, total)
    degrees = np.diff(similar.indptr)
    candidates = np.flatnonzero(degrees >= TEMPLATE_TEXTS - 1)
    if not len(candidates):
        return Templates(texts=candidates, fillings=())
    grams = encoded.grams.copy()
    grams.data[:] = 1
    filled = np.zeros(total)
    for start in range(0, len(candidates), _TEXTS_AT_ONCE):
        part = candidates[start : start + _TEXTS_AT_ONCE]
        filled[part] = _fills_slots(similar[part], grams[part], grams, degrees[part])
    votes = np.asarray(similar[candidates] @ filled).ravel() + filled[candidates]
    found = candidates[votes > 0.5 * (degrees[candidates] + 1)]
    return Templates(texts=found, fillings=_filling_places(encoded, similar, degrees, found))


def _symmetric(left: Ints, right: Ints, total: int) -> csr_matrix:
    ones = np.ones(2 * len(left), dtype=np.int32)
    places = (np.concatenate([left, right]), np.concatenate([right, left]))
    return coo_matrix((ones, places), shape=(total, total)).tocsr()


def _fills_slots(similar: csr_matrix, mine: csr_matrix, grams: csr_matrix, degrees: Ints) -> Flags:
    """Return whether each text has more grams of its own than edits of a common text would explain.

    A replaced word adds two own grams and removes two common ones; an added word adds two and removes one. A filling
    adds two or more and removes none.
    """
    counts = (similar @ grams).tocsr()
    shares = counts.data / np.repeat(degrees, np.diff(counts.indptr))
    common = _with_data(counts, shares >= _COMMON)
    known = _with_data(counts, shares >= _RARE)
    missing = _row_sums(common) - _row_sums(common.multiply(mine))
    own = _row_sums(mine) - _row_sums(known.multiply(mine))
    return np.asarray(own > _OWN_FOR_A_MISSING * missing)


def _with_data(counts: csr_matrix, kept: Flags) -> csr_matrix:
    return csr_matrix((kept.astype(np.int32), counts.indices, counts.indptr), shape=counts.shape)


def _row_sums(matrix: csr_matrix) -> Ints:
    return np.asarray(matrix.sum(axis=1)).ravel()


def _filling_places(encoded: Encoded, similar: csr_matrix, degrees: Ints, found: Ints) -> tuple[Ints, ...]:
    """Return, for each text, the places of the words that few of its similar texts have as often."""
    columns = np.zeros(len(encoded.word_ids), dtype=np.int64)
    order, occurrence = occurrences(encoded.word_ids, encoded.lengths)
    codes = encoded.word_ids[order] * (int(occurrence.max(initial=0)) + 1) + occurrence
    different, columns[order] = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(encoded.lengths)), encoded.lengths)
    ones = np.ones(len(rows), dtype=np.int32)
    words = coo_matrix((ones, (rows, columns)), shape=(len(encoded.lengths), len(different))).tocsr()
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    fillings: list[Ints] = []
    for start in range(0, len(found), _TEXTS_AT_ONCE):
        part = found[start : start + _TEXTS_AT_ONCE]
        counts = (similar[part] @ words).tocsr()
        lengths = encoded.lengths[part]
        places = np.repeat(starts[part] - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        shares = np.asarray(counts[np.repeat(np.arange(len(part)), lengths), columns[places]]).ravel()
        rare = shares < _COMMON * np.repeat(degrees[part], lengths)
        fillings += [np.flatnonzero(flags) for flags in np.split(rare, np.cumsum(lengths)[:-1])]
    return tuple(fillings)
