"""What many texts share is a form: it is left out, and the rest of each text is compared.

Letters with one signature, filled-in forms and rows of a template are alike in all but a few places. What tells them
apart are these places, so that a form's words must not count. A form shows in two ways. Many texts are alike. And they
differ at the same places, where most of them have a filling of their own; edited copies of one text differ at places of
their own, where the others agree.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix

from showdown.data.alike import Encoded, Ints, occurrences

FORM_TEXTS = 8
"""So many texts must be alike before what they share is a form; fewer are copies."""
_COMMON = 2 / 3
"""What so many of the alike texts share belongs to the form."""
_RARE = 0.4
"""A filling is shared by fewer of them: where one of two readings stands, half of them have each."""
_OWN_FOR_A_MISSING = 3
_TEXTS_AT_ONCE = 5_000

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Forms:
    """Texts that are filled-in forms."""

    texts: Ints
    """Their numbers, ascending."""
    own: tuple[Ints, ...]
    """For each of them, the places of the words that are its own."""


def find_forms(encoded: Encoded, left: Ints, right: Ints) -> Forms:
    """Find the texts that fill in a form.

    Args:
        encoded: all texts.
        left: with `right`, the pairs that are alike, each once; of large groups not all.
        right: see `left`.

    """
    total = len(encoded.lengths)
    alike = _symmetric(left, right, total)
    degrees = np.diff(alike.indptr)
    hot = np.flatnonzero(degrees >= FORM_TEXTS - 1)
    if not len(hot):
        return Forms(texts=hot, own=())
    grams = encoded.grams.copy()
    grams.data[:] = 1
    filled = np.zeros(total)
    for start in range(0, len(hot), _TEXTS_AT_ONCE):
        part = hot[start : start + _TEXTS_AT_ONCE]
        filled[part] = _fills_slots(alike[part], grams[part], grams, degrees[part])
    votes = np.asarray(alike[hot] @ filled).ravel() + filled[hot]
    found = hot[votes > 0.5 * (degrees[hot] + 1)]
    return Forms(texts=found, own=_own_places(encoded, alike, degrees, found))


def _symmetric(left: Ints, right: Ints, total: int) -> csr_matrix:
    ones = np.ones(2 * len(left), dtype=np.int32)
    places = (np.concatenate([left, right]), np.concatenate([right, left]))
    return coo_matrix((ones, places), shape=(total, total)).tocsr()


def _fills_slots(alike: csr_matrix, mine: csr_matrix, grams: csr_matrix, degrees: Ints) -> Flags:
    """Return whether each text has more of its own than its edits of what the others share would explain.

    A replaced word makes two grams of the text's own and takes two common ones away, an added word two and one; a
    filling of a form makes two or more, and takes none away.
    """
    counts = (alike @ grams).tocsr()
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


def _own_places(encoded: Encoded, alike: csr_matrix, degrees: Ints, found: Ints) -> tuple[Ints, ...]:
    """Return the places of the words of each text that few of the texts alike to it have (as often)."""
    columns = np.zeros(len(encoded.word_ids), dtype=np.int64)
    order, occurrence = occurrences(encoded.word_ids, encoded.lengths)
    codes = encoded.word_ids[order] * (int(occurrence.max(initial=0)) + 1) + occurrence
    different, columns[order] = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(encoded.lengths)), encoded.lengths)
    ones = np.ones(len(rows), dtype=np.int32)
    words = coo_matrix((ones, (rows, columns)), shape=(len(encoded.lengths), len(different))).tocsr()
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    own: list[Ints] = []
    for start in range(0, len(found), _TEXTS_AT_ONCE):
        part = found[start : start + _TEXTS_AT_ONCE]
        counts = (alike[part] @ words).tocsr()
        lengths = encoded.lengths[part]
        places = np.repeat(starts[part] - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        shares = np.asarray(counts[np.repeat(np.arange(len(part)), lengths), columns[places]]).ravel()
        rare = shares < _COMMON * np.repeat(degrees[part], lengths)
        own += [np.flatnonzero(flags) for flags in np.split(rare, np.cumsum(lengths)[:-1])]
    return tuple(own)
