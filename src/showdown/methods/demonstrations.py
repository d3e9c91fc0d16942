"""Training rows that are shown as examples in a prompt: drawn at random once, or the nearest ones for each prompt.

No two of the examples of a prompt are copies of each other, and none is a copy of the prompt itself: of a duplicate
group one row is taken, and none of a group that holds the very prompt.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from showdown.core.chat import shown_prompt
from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.strict import Strict

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

Choice = Literal["random", "nearest"]
Pair = tuple[str, str]
"""A prompt with its answer, or a text with its label."""
_WORD = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
"""A word of letters and digits, or a single letter of a script that is written without spaces."""


class Demonstration(Strict):
    """A training row that can be shown."""

    prompt: str
    """As `Examples.texts` has it."""
    answer: str
    """The wanted answer, or the label."""
    group: int
    """Duplicate group."""


class Demonstrations(Strict):
    """Rows, and how the examples of a prompt are chosen among them. It is saved with the model, as JSON."""

    choose: Choice
    count: int
    """Examples of a prompt."""
    rows: tuple[Demonstration, ...]
    """With `random` the examples themselves, in the order in which they are shown; with `nearest` all training rows."""
    vary_answers: bool
    """Whether an answer is shown again only once all others were: for labels."""


def demonstrations(
    train: Examples,
    answers: Sequence[str],
    *,
    choose: Choice,
    count: int,
    seed: int | tuple[int, ...],
    vary_answers: bool,
) -> Demonstrations:
    """Choose examples among the training rows, or keep all rows to choose from.

    Args:
        train: the training rows.
        answers: of each row, as it is shown.
        choose: `random` draws once, by the seed; `nearest` chooses for each prompt.
        count: examples of a prompt.
        seed: of the draw.
        vary_answers: whether an answer is shown again only once all others were.

    Raises:
        UserError: when there are no training rows.

    """
    if not len(train):
        raise UserError("there are no training rows to show as examples; give some, or take a method that shows none")
    fields = zip(train.texts, answers, train.duplicate_groups, strict=True)
    rows = [Demonstration(prompt=text, answer=answer, group=int(group)) for text, answer, group in fields]
    if choose == "random":
        order = np.random.default_rng(seed).permutation(len(rows))
        rows = _first((rows[place] for place in order), count, vary_answers=vary_answers)[::-1]
    return Demonstrations(choose=choose, count=count, rows=tuple(rows), vary_answers=vary_answers)


def _first(ranked: Iterable[Demonstration], count: int, *, vary_answers: bool) -> list[Demonstration]:
    """Return the first rows of different duplicate groups; where asked, each answer once before any comes again."""
    if not vary_answers:
        return list(islice(_of_different_groups(ranked), count))
    turns: list[list[Demonstration]] = []
    seen: Counter[str] = Counter()
    for row in _of_different_groups(ranked):
        if seen[row.answer] == len(turns):
            turns.append([])
        turns[seen[row.answer]].append(row)
        seen[row.answer] += 1
        if len(turns[0]) == count:
            break
    return [row for turn in turns for row in turn][:count]


def _of_different_groups(ranked: Iterable[Demonstration]) -> Iterator[Demonstration]:
    groups: set[int] = set()
    for row in ranked:
        if row.group not in groups:
            groups.add(row.group)
            yield row


class Nearest:
    """Finds the rows whose prompts are nearest to a prompt, by the cosine of TF-IDF vectors of their words."""

    def __init__(self, chosen: Demonstrations, read: Callable[[str], str]) -> None:
        """Prepare.

        Args:
            chosen: the rows.
            read: returns what of a prompt is compared, such as what its user wrote.

        """
        self.chosen, self._read = chosen, read
        self._vectorizer = _vectorizer()
        texts = [read(row.prompt) for row in chosen.rows]
        self._vectors: csr_matrix | None = None
        try:
            self._vectors = self._vectorizer.fit_transform(texts).tocsr()
        except ValueError:  # not one word: all rows are equally near
            self._vectors = None
        self._groups_of: dict[str, set[int]] = {}
        for row in chosen.rows:
            self._groups_of.setdefault(row.prompt, set()).add(row.group)

    def __call__(self, prompt: str) -> list[Pair]:
        """Return the examples for a prompt, the nearest one last; of equally near rows the first are taken."""
        rows = self.chosen.rows
        near = np.zeros(len(rows))
        if self._vectors is not None:
            asked = self._vectorizer.transform([self._read(prompt)])
            near = np.asarray((self._vectors @ asked.T).todense()).ravel()
        copies = self._groups_of.get(prompt, set())
        order = (rows[place] for place in np.argsort(-near, kind="stable"))
        others = (row for row in order if row.group not in copies)
        nearest = _first(others, self.chosen.count, vary_answers=self.chosen.vary_answers)
        return [(row.prompt, row.answer) for row in reversed(nearest)]


def _vectorizer() -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True, dtype=np.float64)


def chooser(chosen: Demonstrations, read: Callable[[str], str] = shown_prompt) -> Callable[[str], list[Pair]]:
    """Return what finds the examples for a prompt, in the order in which they are shown."""
    if chosen.choose == "nearest":
        return Nearest(chosen, read)
    always = [(row.prompt, row.answer) for row in chosen.rows]
    return lambda prompt: always
