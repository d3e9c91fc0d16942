"""The slower part of the audit: rows to look at first, lengths of texts, and the effect of a leak."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from showdown.core.strict import Strict
from showdown.data.chats.spelled import SpelledToken, spelled_lines, spelled_tokens
from showdown.data.leak_worth import LeakAcross, LeakWorth, leak_across, leak_worth
from showdown.data.rows import Rows
from showdown.data.split import Partition
from showdown.data.suspects import (
    FOLDS,
    LEAST_PRECISION,
    Precision,
    Suspect,
    find_suspects,
    measure_precision,
    named_rows,
)
from showdown.data.tables import count, row_list, shown
from showdown.data.wording import normalise, words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

VERSION = 2
"""Version of the checks. An inspection of another version is repeated."""
MIN_WORDS = 3
"""Fewest words of a text; a shorter one says too little even to a person."""
MIN_TEXTS = FOLDS
"""Fewest different texts of a label. With fewer, some of the 5 folds have none, so the label is too rare to be scored
and its rows cannot be checked for errors."""
_NOT_NAMED = "Rows to look at first are not named"

Ints = npt.NDArray[np.int64]


class Lengths(Strict):
    """Lengths of the texts in tokens, compared with the limit."""

    max_tokens: int
    median_tokens: float
    longest_tokens: int
    cut_rows: list[int]
    """1-based rows that are longer than the limit."""
    cut_share: float
    """Share of all tokens that are cut, 0 to 1."""


class DeepAudit(Strict):
    """Findings of the slower checks."""

    look_first: list[Suspect]
    """Rows whose labels may be wrong, most suspicious first; empty when the search is not precise enough."""
    look_first_precision: Precision | None
    """Precision of that search on these rows; None when it could not be made."""
    short_rows: list[int]
    """Rows with fewer than `MIN_WORDS` words."""
    rare_labels: list[str]
    """Labels with fewer than `MIN_TEXTS` different texts."""
    lengths: Lengths | None
    leak_worth: LeakWorth | None
    """None when there are no copies, or too few rows of every label."""
    leak_across: LeakAcross | None = None
    """For the split that is used, or the first of several; None when no copies cross it."""
    notices: list[str]
    """Checks that were left out, with the reasons."""
    spelled: list[SpelledToken] | None = None
    """Special tokens within prompts and answers; None for labelled texts."""


def deep_audit(
    rows: Rows,
    partitions: Sequence[Partition] = (),
    *,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
    max_tokens: int = 512,
) -> DeepAudit:
    """Find rows to look at first, short and long texts and rare labels, and measure the effect of a leak.

    Args:
        rows: the rows from `gather`.
        partitions: the partitions of the rows, if they are split.
        count_tokens: returns the number of tokens of each text, with special tokens and uncut; None to skip lengths.
        max_tokens: the limit at which texts are cut.

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
        lengths=None if count_tokens is None else lengths_of(rows, count_tokens, max_tokens),
        leak_worth=leak_worth(rows),
        leak_across=leak_across(rows, partitions[0]) if partitions else None,
        notices=notices,
    )


def deep_chat_audit(rows: Rows, *, tokens: Sequence[int], max_tokens: int, special_tokens: Sequence[str]) -> DeepAudit:
    """Find overlong rows and special tokens in prompts and answers. What is about labels is left out.

    Args:
        rows: prompts with answers.
        tokens: of each prompt with its answer, uncut.
        max_tokens: the most tokens of both.
        special_tokens: of the model's tokenizer.

    """
    return DeepAudit(
        look_first=[],
        look_first_precision=None,
        short_rows=[],
        rare_labels=[],
        lengths=_compared(np.array(tokens), rows, max_tokens),
        leak_worth=None,
        notices=[],
        spelled=spelled_tokens(rows, special_tokens),
    )


def deep_lines(deep: DeepAudit) -> list[str]:
    """Return the deep audit for a terminal: plain lines for each check, even if it found nothing."""
    found = [*deep_findings(deep), *deep.notices]
    if deep.spelled is not None:
        return [*found, *_nothing_found_in_chats(deep)]
    if not deep.look_first and not any(notice.startswith(_NOT_NAMED) for notice in deep.notices):
        found.append("No row to look at first: the other rows contradict no label")
    if not deep.short_rows:
        found.append(f"No row has fewer than {MIN_WORDS} words")
    if not deep.rare_labels:
        found.append(f"No label has fewer than {MIN_TEXTS} different texts")
    if deep.lengths is not None and not deep.lengths.cut_rows:
        found.append(
            f"No text is longer than {deep.lengths.max_tokens:,} tokens (longest {deep.lengths.longest_tokens:,})"
        )
    if deep.leak_worth is not None:
        worth = deep.leak_worth
        found.append(
            f"TF-IDF with a linear SVM scores {100 * worth.leaky_accuracy:.1f} % with copies across the split,"
            f" {100 * worth.clean_accuracy:.1f} % without (accuracy, {count(worth.rows, 'row')},"
            f" {count(worth.folds, 'fold')})"
        )
    if deep.leak_across is not None:
        across = deep.leak_across
        own = "" if across.own_accuracy is None else f", {100 * across.own_accuracy:.1f} % on those that are not copies"
        found.append(
            f"On the test rows of this split, TF-IDF with a linear SVM scores {100 * across.all_accuracy:.1f} %{own}"
            f" ({across.copies:,} of {count(across.test_rows, 'test row')} are copies)"
        )
    return found


def _nothing_found_in_chats(deep: DeepAudit) -> list[str]:
    lengths, found = deep.lengths, []
    if lengths is not None and not lengths.cut_rows:
        found.append(
            f"No prompt with its answer is longer than {lengths.max_tokens:,} tokens (longest"
            f" {lengths.longest_tokens:,}, median {lengths.median_tokens:,.0f})"
        )
    if not deep.spelled:
        found.append("No prompt or answer spells a special token of the model or of a common chat template")
    return found


def deep_findings(deep: DeepAudit) -> list[str]:
    """Return one line for each problem of the data."""
    found = []
    if deep.look_first and deep.look_first_precision is not None:
        first = deep.look_first[0]
        found.append(
            f"{count(len(deep.look_first), 'row')} to look at first, whose labels may be wrong, such as row"
            f" {first.row}: {shown(first.label)}, which looks like {shown(first.looks_like)}; of the rows that this"
            f" search names, {_bounds_text(deep.look_first_precision)} have a wrong label (measured with labels swapped"
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
    if deep.spelled is not None:
        found += spelled_lines(deep.spelled)
    if deep.lengths is not None and deep.lengths.cut_rows:
        lengths = deep.lengths
        found.append(
            f"{count(len(lengths.cut_rows), 'row')} longer than {lengths.max_tokens:,} tokens, prompt and answer"
            f" together (longest {lengths.longest_tokens:,}): {row_list(lengths.cut_rows)}; `data.overlong` says"
            " what becomes of them"
            if deep.spelled is not None
            else f"{count(len(lengths.cut_rows), 'row')} longer than {lengths.max_tokens:,} tokens:"
            f" {100 * lengths.cut_share:.1f} % of all tokens are cut (longest {lengths.longest_tokens:,})"
        )
    return found


def _representatives(duplicate_groups: Sequence[int] | Ints) -> Ints:
    """Return the index of the first row of each duplicate group."""
    return np.unique(np.array(duplicate_groups), return_index=True)[1].astype(np.int64)


def _bounds_text(precision: Precision) -> str:
    low, high = precision.bounds
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def vectors_of(texts: Sequence[str]) -> "csr_matrix":
    """Return TF-IDF vectors with logarithmic counts: sparse, shape (texts, words)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit_transform(texts)


def _look_first(rows: Rows, chosen: Ints) -> tuple[list[Suspect], Precision | None, list[str]]:
    """Return the rows to look at first, the precision of the search, and notices if none are named.

    Only one text of each duplicate group is checked, so that no copy supports the label of its original.
    """
    try:
        import cleanlab  # noqa: F401
    except ImportError:
        return [], None, [f"{_NOT_NAMED}: run `pip install 'finetuning-showdown[audit]'`"]
    present, targets = np.unique(np.array(rows.targets)[chosen], return_inverse=True)
    if len(present) < 2:
        return [], None, [f"{_NOT_NAMED}: fewer than 2 labels have {MIN_TEXTS} different texts"]
    try:
        vectors = vectors_of([rows.texts[index] for index in chosen])
    except ValueError:  # no text has a word by scikit-learn's definition
        return [], None, [f"{_NOT_NAMED}: these texts have no words that TF-IDF can count"]
    precision = measure_precision(vectors, targets)
    if not precision.enough:
        notice = (
            f"{_NOT_NAMED}: the search is too imprecise on this data, right for {_bounds_text(precision)} of the rows"
            f" that it names (measured with labels swapped on purpose); {100 * LEAST_PRECISION:.0f} % are needed"
        )
        return [], precision, [notice]
    ranked, probabilities = find_suspects(vectors, targets)
    row_ids, labels = [rows.row_ids[index] for index in chosen], [rows.labels[index] for index in present]
    return named_rows(ranked, probabilities, targets, row_ids=row_ids, labels=labels), precision, []


def lengths_of(rows: Rows, count_tokens: Callable[[Sequence[str]], Sequence[int]], max_tokens: int) -> Lengths:
    """Count the tokens of each text, as in `deep_audit`. Exact copies are tokenized once."""
    first, group = np.unique(np.array(rows.exact), return_index=True, return_inverse=True)[1:]
    return _compared(np.array(count_tokens([rows.texts[index] for index in first]))[group], rows, max_tokens)


def _compared(tokens: Ints, rows: Rows, max_tokens: int) -> Lengths:
    """Compare the tokens of each row, shape (rows,), with the limit."""
    cut = np.maximum(tokens - max_tokens, 0)
    return Lengths(
        max_tokens=max_tokens,
        median_tokens=float(np.median(tokens)),
        longest_tokens=int(tokens.max()),
        cut_rows=[rows.row_ids[index] for index in np.flatnonzero(cut)],
        cut_share=float(cut.sum() / max(1, tokens.sum())),
    )
