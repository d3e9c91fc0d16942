"""Copies and near-copies of texts, joined into clusters.

A near-copy is a text of which few words were changed. Two checks say so, both a true Jaccard over bags (a word that
occurs three times counts three times): the bags of words, and the bags of word pairs, which see the order. Where k of
n words are replaced, the first is (n - k) / (n + k), 0.82 at 10 %; the second is at least (n + 1 - 2k) / (n + 1 + 2k),
0.67 at 10 %. Bags make these exact lower bounds: over sets, a repetitive text with the same edits falls lower. Both
thresholds follow from one number, `jaccard`. Sets of three-word shingles, the usual choice, fall to 0.54 at 10 % of
words and come near to texts that merely share half of their boilerplate (0.33 and more); bags of words do not.

Candidates come from MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
chapter 3) over the bags of word pairs. It is written here with numpy and not taken from datasketch, whose LSH keeps a
Python dictionary a band: with the same bands, 20,000 texts of 30 words took datasketch 17 s and 0.33 GB on two cores;
100,000 take this code 10 s and 0.3 GB.
"""

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

BANDS = 50
ROWS_PER_BAND = 4
"""A pair at the lowest word-pair Jaccard that passes (0.636 at the default threshold) shares a band with probability
1 - (1 - 0.636^4)^50 = 99.99 %; unrelated texts (0.05) with 0.03 %."""
_BUCKET_ROWS = 100
"""In a larger bucket, rows are compared with their nearest neighbours only, lest a hot phrase make it quadratic."""
_NEIGHBOURS = 25
_PAIRS_AT_ONCE = 200_000
_SEED = 20_251_201

_SPACELESS = re.compile("([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
"""Scripts that write no spaces (Han, Kana): each character counts as a word."""
_AT_ENDS = (
    string.punctuation + "\u2018\u2019\u201c\u201d\u2026\u2013\u2014\u2022\u00b7\u00ab\u00bb\u00bf\u00a1\u3001\u3002"
)


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Clusters of texts; all tuples have one entry a text, in the order given."""

    clusters: tuple[int, ...]
    """Number of the cluster, counted from 0 in order of first appearance."""
    exact: tuple[int, ...]
    """Number of the group of exact copies (after normalisation), counted likewise; it refines `clusters`."""

    @property
    def exact_copies(self) -> int:
        """Texts that repeat an earlier one exactly, after normalisation."""
        return len(self.exact) - len(set(self.exact))

    @property
    def near_copies(self) -> int:
        """Different texts that are near-copies of an earlier one."""
        return len(set(self.exact)) - len(set(self.clusters))


def normalise(text: str) -> str:
    """Return the text as copies are compared: Unicode NFKC, case folded, one space for any white space."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def words(normalised: str) -> list[str]:
    """Return the words of a normalised text: what stands between spaces, without punctuation at its ends.

    Punctuation alone counts as a word, so that a text has as many words as pieces between spaces.
    """
    if _SPACELESS.search(normalised):
        normalised = _SPACELESS.sub(r" \1 ", normalised)
    return [piece.strip(_AT_ENDS) or piece for piece in normalised.split()]


def find_clusters(texts: Sequence[str], jaccard: float) -> Duplicates:
    """Cluster copies and near-copies; the same texts in the same order always give the same clusters.

    Args:
        texts: the texts; an empty one is a copy of every other empty one.
        jaccard: two texts whose bags of words overlap by this much are near-copies, provided that their bags of word
            pairs overlap by what the same number of changed words leaves. 0.8 allows 11 % of the words to be replaced.

    """
    first_of: dict[str, int] = {}
    exact = [first_of.setdefault(normalise(text), len(first_of)) for text in texts]
    roots = _near(list(first_of), jaccard)
    renumbered: dict[int, int] = {}
    clusters = tuple(renumbered.setdefault(int(roots[group]), len(renumbered)) for group in exact)
    return Duplicates(clusters=clusters, exact=tuple(exact))


def pair_threshold(jaccard: float) -> float:
    """Return the Jaccard of word pairs that is left where replaced words lower the Jaccard of words to `jaccard`.

    With a share c of the words replaced the Jaccard of words is (1 - c) / (1 + c), that of pairs (1 - 2c) / (1 + 2c).
    """
    changed = (1.0 - jaccard) / (1.0 + jaccard)
    return max(0.0, (1.0 - 2.0 * changed) / (1.0 + 2.0 * changed))


def _near(texts: Sequence[str], jaccard: float) -> Ints:
    """Return the number of the component of each (different, normalised) text."""
    total = len(texts)
    if total < 2:
        return np.zeros(total, dtype=np.int64)
    word_ids, lengths = _encode(texts)
    word_bags = _bags(word_ids, lengths)
    pair_codes, pair_lengths = _word_pairs(word_ids, lengths)
    checks = ((word_bags, jaccard), (_bags(pair_codes, pair_lengths), pair_threshold(jaccard)))
    hashes, starts = _hashes(pair_codes, pair_lengths)
    components = np.arange(total, dtype=np.int64)
    generator = np.random.default_rng(_SEED)
    for _ in range(BANDS):
        keys = _band_keys(hashes, starts, generator)
        left, right = _candidates(keys, components)
        for check, threshold in checks:
            left, right = _similar(check, left, right, threshold)
        components = _join(components, left, right)
    return components


def _encode(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """Return all words as numbers from 1, one text after another, and the number of words of each text."""
    numbers: dict[str, int] = {}
    lengths = np.zeros(len(texts), dtype=np.int64)
    chunks = []
    for index, text in enumerate(texts):
        found = words(text)
        lengths[index] = len(found)
        chunks.append(np.array([numbers.setdefault(word, len(numbers) + 1) for word in found], dtype=np.int64))
    return np.concatenate(chunks), lengths


def _word_pairs(word_ids: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Return the code of each pair of neighbouring words; a text of n words has n + 1, with its two ends."""
    ends = np.cumsum(lengths)
    padded = np.insert(word_ids, np.concatenate([[0], ends]), 0)
    width = int(word_ids.max(initial=0)) + 1
    return padded[:-1] * width + padded[1:], lengths + 1


def _bags(codes: Ints, lengths: Ints) -> csr_matrix:
    """Return counts of codes: shape (texts, different codes)."""
    different, columns = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    ones = np.ones(len(codes), dtype=np.int32)
    return coo_matrix((ones, (rows, columns)), shape=(len(lengths), max(1, len(different)))).tocsr()


def _hashes(codes: Ints, lengths: Ints) -> tuple[Hashes, Ints]:
    """Return a 64-bit hash of each code with its occurrence number within its text, and where each text starts."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((codes, rows))
    ordered = codes[order]
    new = np.ones(len(codes), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]) | (rows[1:] != rows[:-1])
    positions = np.arange(len(codes))
    occurrence = positions - np.maximum.accumulate(np.where(new, positions, 0))
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    mixed = _mix(_mix(ordered.astype(np.uint64)) + occurrence.astype(np.uint64))
    return mixed, starts


def _mix(values: Hashes) -> Hashes:
    """Scramble 64-bit values (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _band_keys(hashes: Hashes, starts: Ints, generator: np.random.Generator) -> Hashes:
    """Return one key a text: equal keys mean equal minima under every hash function of the band."""
    keys = np.zeros(len(starts), dtype=np.uint64)
    for _ in range(ROWS_PER_BAND):
        factor, shift = generator.integers(1, 2**63, size=2, dtype=np.uint64)
        minima = np.minimum.reduceat(hashes * (factor | np.uint64(1)) + shift, starts)
        keys = _mix(keys ^ minima)
    return keys


def _candidates(keys: Hashes, components: Ints) -> tuple[Ints, Ints]:
    """Return the pairs of texts that share a key and are not in one component yet."""
    order = np.argsort(keys, kind="stable")
    new = np.ones(len(keys), dtype=bool)
    new[1:] = keys[order][1:] != keys[order][:-1]
    firsts = np.flatnonzero(new)
    sizes = np.diff(np.append(firsts, len(keys)))
    bucket_ends = np.repeat(firsts + sizes, sizes)
    reach = np.repeat(np.where(sizes > _BUCKET_ROWS, _NEIGHBOURS, _BUCKET_ROWS), sizes)
    lefts, rights = [], []
    positions = np.flatnonzero(np.repeat(sizes > 1, sizes))
    step = 1
    while len(positions):
        positions = positions[(positions + step < bucket_ends[positions]) & (step <= reach[positions])]
        left, right = order[positions], order[positions + step]
        apart = components[left] != components[right]
        lefts.append(left[apart])
        rights.append(right[apart])
        step += 1
    if not lefts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(lefts), np.concatenate(rights)


def _similar(bags: csr_matrix, left: Ints, right: Ints, threshold: float) -> tuple[Ints, Ints]:
    """Return the pairs whose bags have at least this Jaccard."""
    sizes = np.asarray(bags.sum(axis=1)).ravel()
    keep = np.zeros(len(left), dtype=bool)
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        shared = np.asarray(bags[left[part]].minimum(bags[right[part]]).sum(axis=1)).ravel()
        union = sizes[left[part]] + sizes[right[part]] - shared
        keep[part] = shared >= threshold * union - 1e-9
    return left[keep], right[keep]


def _join(components: Ints, left: Ints, right: Ints) -> Ints:
    """Return the components after these pairs are joined."""
    if not len(left):
        return components
    total = len(components)
    edges = coo_matrix((np.ones(len(left), dtype=bool), (components[left], components[right])), shape=(total, total))
    joined = connected_components(edges, directed=False)[1].astype(np.int64)
    return np.asarray(joined[components], dtype=np.int64)
