"""Find near-copies among short texts: they differ at one place, and the meaning stays.

In a short text one word can carry the meaning ("... for a refund", "... for a PIN"), so the share of equal words says
little. Two short texts are near-copies when one word was added, dropped or replaced, and it is a function word, or the
same word misspelt or inflected. Any other word may differ only when enough other words that carry meaning are equal,
six at the default threshold: each change has a cost, and equal / (equal + cost) must reach `jaccard`. It may not be a
negation. Nor may it be the filling of a template: more than two different words occur at this place of otherwise equal
texts, or the same two words replace each other in more than two texts.

Candidates share a hash of all their words except one, so no such pair is missed. The exception is a bucket of more than
`_BUCKET_ENTRIES` texts that differ at the same place: there, only neighbours in alphabetical order are compared.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from showdown.data.function_words import FUNCTION_WORDS, NEGATIONS, UNSPACED_NEGATIONS
from showdown.data.similarity import SHORT_WORDS, Encoded, Floats, Hashes, Ints, bucket_pairs, mix
from showdown.data.wording import Wording

FUNCTION_COST = 0.25
"""Cost of an added or dropped function word; a replaced one costs twice as much."""
MEANING_COST = 1.5
"""Cost of any other change. At a threshold of 0.8, six equal words that carry meaning outweigh it: 6 / 7.5."""
_BUCKET_ENTRIES = 100
_NEIGHBOURS = 25
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MOST_VARIANTS = 2
"""More different words at one place are the fillings of a template."""
_MISSPELT_LETTERS = 5
"""Fewest letters of a misspelt word. A shorter word with one letter changed is often another word (`card`, `cart`)."""
_PARTICLE_CHARACTERS = 6
"""Most characters of a polite particle; those of Thai and Khmer have 3 to 6."""
_TIMES_RARER = 10
"""A word counts as misspelt when it occurs in one text only, or in this many times fewer texts than the other word."""
_ENDINGS = frozenset({"", "s", "es", "d", "ed", "ing"})
_OTHER_ENDINGS = frozenset({"e", "en", "er", "es", "em", "o", "a", "os", "as", "i"})
"""Inflections of German and of Romance languages."""

Flags = npt.NDArray[np.bool_]


def short_pairs(encoded: Encoded, texts: Sequence[Wording], jaccard: float) -> tuple[Ints, Ints]:
    """Return the near-copies among texts with spaces and at most `SHORT_WORDS` words."""
    taken = (encoded.scripts == 0) & (encoded.lengths <= SHORT_WORDS)
    keys, text_of, word_of, place_of = _entries(encoded, taken)
    words = _words_by_number(encoded, texts, taken)
    light = np.array([word in FUNCTION_WORDS for word in words])
    rank = np.zeros(len(words), dtype=np.int64)
    rank[np.array(sorted(range(len(words)), key=words.__getitem__), dtype=np.int64)] = np.arange(len(words))
    order = np.lexsort((rank[word_of], ~light[word_of], word_of > 0))
    first, second = bucket_pairs(
        keys[order], np.arange(len(order)), bucket_rows=_BUCKET_ENTRIES, neighbours=_NEIGHBOURS
    )
    first, second = order[first], order[second]
    apart = text_of[first] != text_of[second]
    first, second = first[apart], second[apart]
    left, right = text_of[first], text_of[second]
    heavy, cost = _costs(word_of[first], word_of[second], words, light)
    carried = (word_of[first] > 0) & ~light[word_of[first]]
    equal = np.where(
        heavy, _meaning_words(encoded, light)[left] - carried, encoded.lengths[left] - (word_of[first] > 0)
    )
    maybe = (
        np.isfinite(cost) & heavy & (place_of[first] == place_of[second]) & (word_of[first] > 0) & (word_of[second] > 0)
    )
    same_word = _same_words(
        word_of[first[maybe]], word_of[second[maybe]], words, _texts_with(text_of, word_of, len(words))
    )
    slips = np.flatnonzero(maybe)[same_word]
    cost[slips] = 2 * FUNCTION_COST
    equal[slips] = encoded.lengths[left[slips]] - 1
    filled_in = _is_filled_in(keys, word_of, light)[first] | _recurs(keys[first], word_of[first], word_of[second])
    filled_in &= cost >= MEANING_COST
    cost[filled_in] = np.inf
    enough = equal >= jaccard * (equal + cost) - 1e-9
    enough &= _symbols_agree(texts, left, right)
    return left[enough], right[enough]


def _costs(first: Ints, second: Ints, words: Sequence[str], light: Flags) -> tuple[Flags, Floats]:
    """Return whether a word that carries meaning changed, and the cost of the change. Number 0 stands for no word."""
    heavy = np.asarray(((first > 0) & ~light[first]) | ((second > 0) & ~light[second]))
    turns = np.array([word in NEGATIONS for word in words])
    cost = np.where(heavy, MEANING_COST, FUNCTION_COST * ((first > 0).astype(float) + (second > 0)))
    return heavy, np.where(turns[first] | turns[second], np.inf, cost)


def _is_filled_in(keys: Hashes, word_of: Ints, light: Flags) -> Flags:
    """Return for each key whether more than two words that carry meaning occur at its place, as in a template."""
    meant = (word_of > 0) & ~light[word_of]
    different = np.unique(np.stack([keys[meant], word_of[meant].astype(np.uint64)], axis=1), axis=0)[:, 0]
    key, fillings = np.unique(different, return_counts=True)
    return np.isin(keys, key[fillings > _MOST_VARIANTS])


def _recurs(keys: Hashes, first: Ints, second: Ints) -> Flags:
    """Return whether the words of each pair replace each other in more than two contexts, as fillings do."""
    if not len(keys):
        return np.zeros(0, dtype=bool)
    pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
    number = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    contexts = np.unique(np.stack([number.astype(np.uint64), keys], axis=1), axis=0)[:, 0].astype(np.int64)
    return np.asarray(np.bincount(contexts, minlength=int(number.max()) + 1)[number] > _MOST_VARIANTS)


def _entries(encoded: Encoded, taken: Flags) -> tuple[Hashes, Ints, Ints, Ints]:
    """Return keys of the taken texts: one of the whole text, and one for each of its words, without that word.

    Returns:
        The keys, and for each the text, the missing word and its place. Word 0 at place 0 stands for the whole text.

    """
    text_of = np.repeat(np.arange(len(encoded.lengths)), encoded.lengths)
    ends = np.cumsum(encoded.lengths)
    place = np.arange(len(text_of)) - np.repeat(ends - encoded.lengths, encoded.lengths)
    chosen = taken[text_of]
    text_of, place, word_ids = text_of[chosen], place[chosen], encoded.word_ids[chosen]
    powers = np.concatenate([[np.uint64(1)], np.full(SHORT_WORDS + 1, _BASE)]).cumprod(dtype=np.uint64)
    parts = mix(word_ids.astype(np.uint64)) * powers[place]
    lengths = np.where(taken, encoded.lengths, 0)
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(parts, dtype=np.uint64)])
    text_ends = np.cumsum(lengths)
    begin, total = sums[text_ends - lengths], sums[text_ends] - sums[text_ends - lengths]
    before = sums[:-1] - begin[text_of]
    after = (total[text_of] - before - parts) * np.uint64(pow(int(_BASE), -1, 2**64))
    whole = np.flatnonzero(taken)
    nothing = np.zeros(len(whole), dtype=np.int64)
    return (
        np.concatenate([total[whole], before + after]),
        np.concatenate([whole, text_of]),
        np.concatenate([nothing, word_ids]),
        np.concatenate([nothing, place]),
    )


def _words_by_number(encoded: Encoded, texts: Sequence[Wording], taken: Flags) -> list[str]:
    """Return the word of each number that occurs in a taken text; the other words are empty."""
    words = [""] * (int(encoded.word_ids.max(initial=0)) + 1)
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    for index in np.flatnonzero(taken).tolist():
        for number, word in enumerate(texts[index].words, start=int(starts[index])):
            words[encoded.word_ids[number]] = word
    return words


def _texts_with(text_of: Ints, word_of: Ints, words: int) -> Ints:
    """Return the number of short texts with each word, by the word's number: shape (words,)."""
    different = np.unique(text_of * words + word_of)
    return np.bincount(different % words, minlength=words)


def _meaning_words(encoded: Encoded, light: Flags) -> Ints:
    """Return the number of words in each text that are not function words: shape (texts,)."""
    text_of = np.repeat(np.arange(len(encoded.lengths)), encoded.lengths)
    counted = np.bincount(text_of, weights=~light[encoded.word_ids], minlength=len(encoded.lengths))
    return counted.astype(np.int64)


def _same_words(first: Ints, second: Ints, words: Sequence[str], texts_with: Ints) -> Flags:
    """Return whether the words of each pair are one word, misspelt or inflected."""
    if not len(first):
        return np.zeros(0, dtype=bool)
    pairs, place = np.unique(np.stack([first, second], axis=1), axis=0, return_inverse=True)
    few, many = np.sort(texts_with[pairs], axis=1).T
    rare = (few <= 1) | (few * _TIMES_RARER <= many)
    same = [same_word(words[a], words[b], rare=bool(odd)) for (a, b), odd in zip(pairs, rare, strict=True)]
    return np.array(same)[place.ravel()]


def _symbols_agree(texts: Sequence[Wording], left: Ints, right: Ints) -> Flags:
    """Return whether the texts of each pair have the same emoji and emoticons, or one has none."""
    numbers: dict[str, int] = {"": 0}
    symbols = np.array([numbers.setdefault(text.symbols, len(numbers)) for text in texts])
    return np.asarray((symbols[left] == 0) | (symbols[right] == 0) | (symbols[left] == symbols[right]))


def same_word(first: str, second: str, *, rare: bool) -> bool:
    """Return whether two words are one, inflected or misspelt.

    Args:
        first: a word.
        second: another word.
        rare: whether one of them is rare. A frequent word is not taken for a misspelling.

    """
    if not (first.isalpha() and second.isalpha()):
        return False
    return _inflected(first, second) or (rare and _misspelt(first, second))


def _inflected(first: str, second: str) -> bool:
    stem = _common_start(first, second)
    ends = {first[stem:], second[stem:]}
    if stem < 3:
        return False
    doubled = {end[1:] if end[:1] == first[stem - 1] else end for end in ends}
    if ends <= _ENDINGS or doubled <= {"", "s", "ed", "ing"} or ends <= {"y", "ies", "ied"}:
        return True
    if stem >= 4 and ends <= _ENDINGS | {"e"} and "" not in ends:
        return True
    return stem >= 5 and (ends <= _OTHER_ENDINGS or ("" in ends and max(map(len, ends)) <= 2))


def _misspelt(first: str, second: str) -> bool:
    """Return whether the words differ in one letter, or in two swapped neighbours, after an equal first letter."""
    if min(len(first), len(second)) < _MISSPELT_LETTERS or first[0] != second[0] or abs(len(first) - len(second)) > 1:
        return False
    start = _common_start(first, second)
    rest, other = first[start:], second[start:]
    swapped = len(rest) > 1 and rest[1] + rest[0] + rest[2:] == other
    return rest[1:] == other[1:] or rest[1:] == other or rest == other[1:] or swapped


def one_small_change(encoded: Encoded, texts: Sequence[Wording], left: Ints, right: Ints) -> Flags:
    """Return whether short texts without spaces differ in one character, two swapped ones, or a particle at one end.

    A word has several characters, so overlap alone cannot distinguish a changed word from a polite particle. For pairs
    of other texts the result is true.
    """
    agree = np.ones(len(left), dtype=bool)
    for place in np.flatnonzero(encoded.short_unspaced[left] & encoded.short_unspaced[right]).tolist():
        first, second = ("".join(texts[text].words) for text in (left[place], right[place]))
        before = _common_start(first, second)
        after = _common_start(first[before:][::-1], second[before:][::-1])
        one, other = first[before : len(first) - after], second[before : len(second) - after]
        added = one or other
        particle = (not one or not other) and (not before or not after) and len(added) <= _PARTICLE_CHARACTERS
        agree[place] = (
            (particle and not any(negation in added for negation in UNSPACED_NEGATIONS))
            or max(len(one), len(other)) <= 1
            or (len(one) == 2 and one == other[::-1])
        )
    return agree


def _common_start(first: Sequence[object], second: Sequence[object]) -> int:
    """Return the length of the common beginning of both sequences."""
    number = 0
    while number < min(len(first), len(second)) and first[number] == second[number]:
        number += 1
    return number
