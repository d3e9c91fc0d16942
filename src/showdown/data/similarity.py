"""Find similar long texts: MinHash proposes pairs, and each pair is checked.

A near-copy of a long text differs from it in few words. Two checks decide, both by the Jaccard similarity of bags (a
word that occurs three times counts three times): the bags of words, and the bags of word pairs, which reflect word
order. When k of n words are replaced, the first is (n - k) / (n + k), 0.82 at 10 %, and the second is at least
(n + 1 - 2k) / (n + 1 + 2k), 0.67 at 10 %. With bags these bounds are exact; with sets, a repetitive text would score
lower after the same edits. Both thresholds follow from one number, `jaccard`. Sets of three-word shingles, the usual
choice, fall to 0.54 at 10 % replaced words. That is close to texts that only share half of their boilerplate (0.33 and
more).

Scripts without spaces are compared by characters: pairs in Han and Kana, triples in Thai, Khmer and similar scripts. In
short Han texts the pairs must reach `jaccard` itself, because one changed word makes a short sentence another one.
Short texts in Thai and similar scripts also pass `short_copies.one_small_change`.

MinHash with banding proposes the pairs (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
chapter 3). This is an implementation in numpy, because datasketch's LSH keeps a Python dictionary for each band. With
the same bands and two cores, datasketch took 17 s and 0.33 GB for 20,000 texts of 30 words; this code takes 10 s and
0.3 GB for 100,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from showdown.data.wording import Wording

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]

SHORT_WORDS = 16
"""A text with spaces and fewer words is short, and `short_copies` compares it."""
_SHORT_CHARACTERS = {"characters": 30, "unspaced": 100}
"""The limit for scripts without spaces, in characters: about as many words."""
_UNSPACED_LOSS = 1.4
"""Triples that change for each changed letter: a changed word of five letters changes seven."""
_TRIPLES = 3.0
"""Triples that change when a single character does."""
BANDS = 50
ROWS_PER_BAND = 4
"""The chance to share a band is 1 - (1 - 0.636^4)^50 = 99.99 % for a pair at the lowest word-pair Jaccard that passes
(0.636 at the default threshold), and 0.03 % for unrelated texts (0.05)."""
_BUCKET_ROWS = 100
"""Rows of a larger bucket are compared with their nearest neighbours only, so that a frequent phrase does not make the
search quadratic."""
_NEIGHBOURS = 25
_WHOLE_GROUP = 64
"""In a group of at most this many texts all pairs are compared; in a larger one, neighbours by their hashes."""
_ORDERS, _STEPS = 3, 6
_PAIRS_AT_ONCE = 200_000
_SEED = 20_251_201


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Texts as numbers. Arrays have one entry for each text unless their shape is given."""

    word_ids: Ints
    """All words as numbers from 1, text after text: shape (words,)."""
    lengths: Ints
    bags: csr_matrix
    """Word counts: shape (texts, different words)."""
    grams: csr_matrix
    """Counts of neighbouring words or characters: shape (texts, different grams)."""
    bag_least: Floats
    """Lowest Jaccard of `bags` for a near-copy of this text."""
    gram_least: Floats
    """Lowest Jaccard of `grams` for a near-copy of this text."""
    hashes: Hashes
    """Hashes of the grams with their occurrence numbers, text after text: shape (grams,)."""
    starts: Ints
    """Index of each text's first hash."""
    scripts: Ints
    """0 spaced, 1 characters, 2 unspaced."""

    @property
    def short(self) -> npt.NDArray[np.bool_]:
        """Whether each text has spaces and few words: shape (texts,)."""
        return np.asarray((self.scripts == 0) & (self.lengths < SHORT_WORDS))

    @property
    def short_unspaced(self) -> npt.NDArray[np.bool_]:
        """Whether each text has few characters in a script without spaces, other than Han and Kana: shape (texts,)."""
        return np.asarray((self.scripts == 2) & (self.lengths < _SHORT_CHARACTERS["unspaced"]))


def pair_threshold(jaccard: float, loss: float = 2.0) -> float:
    """Return the Jaccard of grams after replacements that lower the Jaccard of words to `jaccard`.

    When a share c of the words is replaced, the Jaccard of words is (1 - c) / (1 + c). The Jaccard of word pairs is
    (1 - 2c) / (1 + 2c), because each word is in 2 pairs.

    Args:
        jaccard: threshold for words, 0 to 1.
        loss: grams that a replaced word or character changes.

    """
    changed = (1.0 - jaccard) / (1.0 + jaccard)
    return max(0.0, (1.0 - loss * changed) / (1.0 + loss * changed))


def encode(texts: Sequence[Wording], jaccard: float) -> Encoded:
    """Return the texts as numbers. Each text must have a word."""
    numbers: dict[str, int] = {}
    lengths = np.array([len(text.words) for text in texts], dtype=np.int64)
    word_ids = np.concatenate(
        [
            np.array([numbers.setdefault(word, len(numbers) + 1) for word in text.words], dtype=np.int64)
            for text in texts
        ]
    )
    scripts = np.array([("spaced", "characters", "unspaced").index(text.script) for text in texts], dtype=np.int64)
    codes, gram_lengths = _grams(word_ids, lengths, scripts)
    hashes, starts = _hashes(codes, gram_lengths)
    few = ((scripts == 1) & (lengths < _SHORT_CHARACTERS["characters"])) | (
        (scripts == 2) & (lengths < _SHORT_CHARACTERS["unspaced"])
    )
    gram_least = np.where(scripts == 2, pair_threshold(jaccard, _UNSPACED_LOSS), pair_threshold(jaccard))
    few_least = np.where(scripts == 2, pair_threshold(jaccard, _TRIPLES), jaccard)
    return Encoded(
        word_ids=word_ids,
        lengths=lengths,
        bags=_bags(word_ids, lengths),
        grams=_bags(codes, gram_lengths),
        bag_least=np.where(few, 0.0, jaccard),
        gram_least=np.where(few, few_least, gram_least),
        hashes=hashes,
        starts=starts,
        scripts=scripts,
    )


def similar_pairs(encoded: Encoded, chosen: Ints) -> tuple[Ints, Ints]:
    """Return similar pairs of the chosen texts: all pairs of a small group, and enough of a large one to connect it."""
    components = np.arange(len(encoded.lengths), dtype=np.int64)
    generator = np.random.default_rng(_SEED)
    lefts, rights, orders = [], [], []
    for band in range(BANDS):
        keys = _band_keys(encoded, generator)
        left, right = keep_similar(encoded, *_candidates(keys, components, chosen))
        lefts.append(left)
        rights.append(right)
        components = join(components, left, right)
        if band < _ORDERS:
            orders.append(keys)
    left, right = keep_similar(encoded, *_within_groups(components, chosen, orders))
    return unique_pairs(np.concatenate([*lefts, left]), np.concatenate([*rights, right]))


def keep_similar(encoded: Encoded, left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return those of the pairs whose bags and grams both pass their thresholds."""
    same = encoded.scripts[left] == encoded.scripts[right]
    left, right = left[same], right[same]
    for bags, least in ((encoded.bags, encoded.bag_least), (encoded.grams, encoded.gram_least)):
        enough = jaccards(bags, left, right) >= np.maximum(least[left], least[right]) - 1e-9
        left, right = left[enough], right[enough]
    return left, right


def jaccards(bags: csr_matrix, left: Ints, right: Ints) -> Floats:
    """Return the Jaccard similarity of each pair's bags: shape (pairs,)."""
    sizes = np.asarray(bags.sum(axis=1)).ravel()
    found = np.zeros(len(left))
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        shared = np.asarray(bags[left[part]].minimum(bags[right[part]]).sum(axis=1)).ravel()
        found[part] = shared / np.maximum(1, sizes[left[part]] + sizes[right[part]] - shared)
    return found


def join(components: Ints, left: Ints, right: Ints) -> Ints:
    """Return the connected component of each text after these pairs are joined: shape (texts,)."""
    if not len(left):
        return components
    total = len(components)
    edges = coo_matrix((np.ones(len(left), dtype=bool), (components[left], components[right])), shape=(total, total))
    joined = connected_components(edges, directed=False)[1].astype(np.int64)
    return np.asarray(joined[components], dtype=np.int64)


def unique_pairs(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return each pair once, with the lower number first."""
    if not len(left):
        return left, right
    pairs = np.unique(np.stack([np.minimum(left, right), np.maximum(left, right)], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def mix(values: Hashes) -> Hashes:
    """Return hashes of 64-bit values (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def bucket_pairs(keys: Hashes, rows: Ints, *, bucket_rows: int, neighbours: int) -> tuple[Ints, Ints]:
    """Return pairs of rows with equal keys.

    Args:
        keys: shape (entries,).
        rows: the row of each entry, shape (entries,). Its order defines the neighbours in a large bucket.
        bucket_rows: largest bucket of which all pairs are returned.
        neighbours: largest distance of the two rows of a pair in a larger bucket.

    """
    order = np.argsort(keys, kind="stable")
    new = np.ones(len(keys), dtype=bool)
    new[1:] = keys[order][1:] != keys[order][:-1]
    firsts = np.flatnonzero(new)
    sizes = np.diff(np.append(firsts, len(keys)))
    bucket_ends = np.repeat(firsts + sizes, sizes)
    reach = np.repeat(np.where(sizes > bucket_rows, neighbours, bucket_rows), sizes)
    lefts, rights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    positions = np.flatnonzero(np.repeat(sizes > 1, sizes))
    step = 1
    while len(positions):
        positions = positions[(positions + step < bucket_ends[positions]) & (step <= reach[positions])]
        lefts.append(rows[order[positions]])
        rights.append(rows[order[positions + step]])
        step += 1
    return np.concatenate(lefts), np.concatenate(rights)


def _candidates(keys: Hashes, components: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """Return the pairs of chosen texts that share a key and are still in different components."""
    left, right = bucket_pairs(keys[chosen], chosen, bucket_rows=_BUCKET_ROWS, neighbours=_NEIGHBOURS)
    apart = components[left] != components[right]
    return left[apart], right[apart]


def _within_groups(components: Ints, chosen: Ints, orders: Sequence[Hashes]) -> tuple[Ints, Ints]:
    """Return pairs within components: all pairs of a small one, neighbours in several orders of a large one."""
    sizes = np.bincount(components[chosen], minlength=len(components))
    grouped = chosen[sizes[components[chosen]] > 1]
    lefts, rights = [], []
    for keys in orders:
        rows = grouped[np.argsort(keys[grouped], kind="stable")]
        left, right = bucket_pairs(
            components[rows].astype(np.uint64), rows, bucket_rows=_WHOLE_GROUP, neighbours=_STEPS
        )
        lefts.append(left)
        rights.append(right)
    return unique_pairs(np.concatenate(lefts), np.concatenate(rights))


def _grams(word_ids: Ints, lengths: Ints, scripts: Ints) -> tuple[Ints, Ints]:
    """Return codes of all grams, and their number in each text.

    A gram is a pair of neighbours, of which a text of n words has n + 1. In unspaced scripts it is a triple; a text has
    n of them.
    """
    ends = np.cumsum(lengths)
    padded = np.insert(word_ids, np.concatenate([[0], ends]), 0)
    codes = _code(padded[:-1], padded[1:])
    if not np.any(scripts == 2):
        return codes, lengths + 1
    text_of = np.repeat(np.arange(len(lengths)), lengths + 1)
    codes[:-1] = np.where(scripts[text_of[:-1]] == 2, _code(codes[:-1], padded[2:]), codes[:-1])
    last = np.zeros(len(codes), dtype=bool)
    last[np.cumsum(lengths + 1) - 1] = True
    kept = ~(last & (scripts[text_of] == 2))
    return codes[kept], lengths + 1 - (scripts == 2)


def _code(first: Ints, second: Ints) -> Ints:
    return (mix(first.astype(np.uint64)) + second.astype(np.uint64)).view(np.int64)


def _bags(codes: Ints, lengths: Ints) -> csr_matrix:
    """Return the counts of each code: shape (texts, different codes)."""
    different, columns = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    ones = np.ones(len(codes), dtype=np.int32)
    return coo_matrix((ones, (rows, columns)), shape=(len(lengths), max(1, len(different)))).tocsr()


def _hashes(codes: Ints, lengths: Ints) -> tuple[Hashes, Ints]:
    """Return a 64-bit hash of each code with its occurrence number in its text, and the index of each text's first."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    order, occurrence = occurrences(codes, lengths)
    return mix(mix(codes[order].view(np.uint64)) + occurrence.astype(np.uint64)), starts


def occurrences(codes: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Return an order of the codes, text after text, and the occurrence number of each ordered code in its text."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((codes, rows))
    ordered = codes[order]
    new = np.ones(len(codes), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]) | (rows[1:] != rows[:-1])
    positions = np.arange(len(codes))
    return order, positions - np.maximum.accumulate(np.where(new, positions, 0))


def _band_keys(encoded: Encoded, generator: np.random.Generator) -> Hashes:
    """Return a key for each text. Equal keys mean equal minima under every hash function of the band."""
    keys = np.zeros(len(encoded.starts), dtype=np.uint64)
    for _ in range(ROWS_PER_BAND):
        factor, shift = generator.integers(1, 2**63, size=2, dtype=np.uint64)
        minima = np.minimum.reduceat(encoded.hashes * (factor | np.uint64(1)) + shift, encoded.starts)
        keys = mix(keys ^ minima)
    return keys
