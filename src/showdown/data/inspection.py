"""The slower part of the audit: rows to look at first, lengths, and what the leak would be worth."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from showdown.core.strict import Strict
from showdown.data.leak_worth import LeakAcross, LeakWorth, leak_across, leak_worth
from showdown.data.rows import Rows
from showdown.data.split import Partition
from showdown.data.suspects import (
    FOLDS,
    LEAST_PRECISION,
    Precision,
    Suspect,
    measured,
    named_rows,
    search,
)
from showdown.data.tables import count, row_list, shown
from showdown.data.wording import normalise, words

VERSION = 2
"""Of what is looked for and how; an inspection of another version is made anew."""
MIN_WORDS = 3
"""A shorter text is hardly enough for anyone to judge."""
MIN_TEXTS = FOLDS
"""A label with fewer different texts has none in some of 5 folds: it is too rare to be scored, and its rows cannot be
checked for errors."""
_NOT_NAMED = "Rows to look at first are not named"

Ints = npt.NDArray[np.int64]


class Lengths(Strict):
    """Tokens of the different texts against the limit."""

    max_tokens: int
    median_tokens: float
    longest_tokens: int
    cut_rows: list[int]
    """1-based rows that are longer."""
    cut_share: float
    """Share of all tokens that is cut, 0 to 1."""


class DeepAudit(Strict):
    """What takes seconds to find."""

    look_first: list[Suspect]
    """Rows whose labels may be wrong, the most suspicious first; empty where the search is not right often enough."""
    look_first_precision: Precision | None
    """How often that search is right on these rows; None where it could not be made."""
    short_rows: list[int]
    """Rows with fewer than `MIN_WORDS` words."""
    rare_labels: list[str]
    """Labels with fewer than `MIN_TEXTS` different texts."""
    lengths: Lengths | None
    leak_worth: LeakWorth | None
    """None where there are no copies, or too few rows of every label."""
    leak_across: LeakAcross | None = None
    """Of the split that is used, the first where there are several; None where no copy crosses it."""
    notices: list[str]
    """Checks that were left out, and why."""


def deep_audit(
    rows: Rows,
    partitions: Sequence[Partition] = (),
    *,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
    max_tokens: int = 512,
) -> DeepAudit:
    """Look for rows to look at first, short and long texts and rare labels, and measure what the leak is worth.

    Args:
        rows: what `gather` read.
        partitions: how they are divided, if they are.
        count_tokens: tokens of each text with the special ones, uncut; without it lengths are not checked.
        max_tokens: where texts are cut.

    """
    first = _representatives(rows.duplicate_groups)
    targets = np.array(rows.targets)
    texts_of = np.bincount(targets[first], minlength=len(rows.labels))
    suspects, precision, notices = _look_first(rows, first[texts_of[targets[first]] >= MIN_TEXTS])
    return DeepAudit(
        look_first=suspects,
        look_first_precision=precision,
        short_rows=[
            row
            for row, text in zip(rows.row_ids, rows.texts, strict=True)
            if len(text.split(None, MIN_WORDS)) < MIN_WORDS and len(words(normalise(text))) < MIN_WORDS
        ],
        rare_labels=[label for label, texts in zip(rows.labels, texts_of, strict=True) if texts < MIN_TEXTS],
        lengths=None if count_tokens is None else _lengths(rows, count_tokens, max_tokens),
        leak_worth=leak_worth(rows),
        leak_across=leak_across(rows, partitions[0]) if partitions else None,
        notices=notices,
    )


def deep_lines(deep: DeepAudit) -> list[str]:
    """Return the deep audit for a terminal, a plain line for each check, also where nothing was found."""
    said = [*deep_findings(deep), *deep.notices]
    if not deep.look_first and not any(notice.startswith(_NOT_NAMED) for notice in deep.notices):
        said.append("No row to look at first: no label is contradicted by the other rows")
    if not deep.short_rows:
        said.append(f"No row has fewer than {MIN_WORDS} words")
    if not deep.rare_labels:
        said.append(f"No label has fewer than {MIN_TEXTS} different texts")
    if deep.lengths is not None and not deep.lengths.cut_rows:
        said.append(
            f"No text is longer than {deep.lengths.max_tokens:,} tokens (longest {deep.lengths.longest_tokens:,})"
        )
    if deep.leak_worth is not None:
        worth = deep.leak_worth
        said.append(
            f"With copies across the split TF-IDF with a linear SVM scores {100 * worth.leaky_accuracy:.1f} %, without"
            f" {100 * worth.clean_accuracy:.1f} % (accuracy, {count(worth.rows, 'row')}, {count(worth.folds, 'fold')})"
        )
    if deep.leak_across is not None:
        across = deep.leak_across
        own = "" if across.own_accuracy is None else f", {100 * across.own_accuracy:.1f} % on those that are no copies"
        said.append(
            f"On the test rows of this split TF-IDF with a linear SVM scores {100 * across.all_accuracy:.1f} %{own}"
            f" ({across.copies:,} of {count(across.test_rows, 'test row')} are copies)"
        )
    return said


def deep_findings(deep: DeepAudit) -> list[str]:
    """Return what is wrong with the data, a line each."""
    found = []
    if deep.look_first and deep.look_first_precision is not None:
        first = deep.look_first[0]
        found.append(
            f"{count(len(deep.look_first), 'row')} to look at first, whose labels may be wrong, such as row"
            f" {first.row}: {shown(first.label)}, which looks like {shown(first.looks_like)}; of the rows that this"
            f" search names, {_bounds_said(deep.look_first_precision)} have a wrong label (measured with labels swapped"
            " on purpose)"
        )
    if deep.short_rows:
        found.append(
            f"{count(len(deep.short_rows), 'row')} with fewer than {MIN_WORDS} words: {row_list(deep.short_rows)}"
        )
    if deep.rare_labels:
        named = ", ".join(shown(label) for label in deep.rare_labels[:5])
        more = f" and {len(deep.rare_labels) - 5} more" if len(deep.rare_labels) > 5 else ""
        found.append(
            f"{count(len(deep.rare_labels), 'label')} with fewer than {MIN_TEXTS} different texts, too rare to score:"
            f" {named}{more}"
        )
    if deep.lengths is not None and deep.lengths.cut_rows:
        lengths = deep.lengths
        found.append(
            f"{count(len(lengths.cut_rows), 'row')} longer than {lengths.max_tokens:,} tokens:"
            f" {100 * lengths.cut_share:.1f} % of all tokens are cut (longest {lengths.longest_tokens:,})"
        )
    return found


def _representatives(duplicate_groups: Sequence[int] | Ints) -> Ints:
    """Return the index of the first row of each duplicate group."""
    return np.unique(np.array(duplicate_groups), return_index=True)[1].astype(np.int64)


def _bounds_said(precision: Precision) -> str:
    low, high = precision.bounds
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def vectors_of(texts: Sequence[str]) -> Any:
    """Return TF-IDF vectors with logarithmic counts: shape (texts, words), sparse."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit_transform(texts)


def _look_first(rows: Rows, chosen: Ints) -> tuple[list[Suspect], Precision | None, list[str]]:
    """Return the rows to look at first, how precise that search is, and why there are none where it is not.

    Only one text a duplicate group is looked at, so that no copy of a text vouches for its label.
    """
    try:
        import cleanlab  # noqa: F401
    except ImportError:
        return [], None, [f"{_NOT_NAMED}: install `pip install 'finetuning-showdown[audit]'`"]
    present, targets = np.unique(np.array(rows.targets)[chosen], return_inverse=True)
    if len(present) < 2:
        return [], None, [f"{_NOT_NAMED}: fewer than 2 labels have {MIN_TEXTS} different texts"]
    try:
        vectors = vectors_of([rows.texts[index] for index in chosen])
    except ValueError:  # no text has a word that scikit-learn takes for one
        return [], None, [f"{_NOT_NAMED}: these texts have no words that TF-IDF could count"]
    precision = measured(vectors, targets)
    if not precision.enough:
        said = (
            f"{_NOT_NAMED}: the search for them is right too seldom here, in {_bounds_said(precision)} of the rows that"
            f" it names (measured with labels swapped on purpose); {100 * LEAST_PRECISION:.0f} % are needed"
        )
        return [], precision, [said]
    ranked, probabilities = search(vectors, targets)
    row_ids, labels = [rows.row_ids[index] for index in chosen], [rows.labels[index] for index in present]
    return named_rows(ranked, probabilities, targets, row_ids=row_ids, labels=labels), precision, []


def _lengths(rows: Rows, count_tokens: Callable[[Sequence[str]], Sequence[int]], max_tokens: int) -> Lengths:
    """Count tokens once for each exact text."""
    first, group = np.unique(np.array(rows.exact), return_index=True, return_inverse=True)[1:]
    tokens = np.array(count_tokens([rows.texts[index] for index in first]))[group]
    cut = np.maximum(tokens - max_tokens, 0)
    return Lengths(
        max_tokens=max_tokens,
        median_tokens=float(np.median(tokens)),
        longest_tokens=int(tokens.max()),
        cut_rows=[rows.row_ids[index] for index in np.flatnonzero(cut)],
        cut_share=float(cut.sum() / max(1, tokens.sum())),
    )
