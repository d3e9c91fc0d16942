"""The built-in resumes are what their data card says."""

import re
from collections import defaultdict
from pathlib import Path

from showdown.core.spec import DataSpec
from showdown.data.gather import gather

CARD = (Path(__file__).parents[2] / "docs" / "data-card.md").read_text(encoding="utf-8")
MADE_TO_REACH = re.compile(r"\S+@\S+\.\S+|https?://|www\.|\+\d[\d ()-]{6,}|\b\d{3}[ -]\d{3}[ -]\d{3,4}\b")
"""E-mail addresses, links and telephone numbers."""


def test_the_built_in_resumes() -> None:
    rows = gather(DataSpec(source="resumes"))
    different = defaultdict(set)
    for label, group in zip(rows.label_of_rows, rows.duplicate_groups, strict=True):
        different[label].add(group)
    assert len(rows.labels) == 25
    assert min(map(len, different.values())) >= 14
    words = [len(text.split()) for text in rows.texts]
    assert 60 <= min(words) <= max(words) <= 140
    assert not [text for text in rows.texts if MADE_TO_REACH.search(text)]
    exact = len(rows.texts) - len(set(rows.exact))
    near = len(set(rows.exact)) - len(set(rows.duplicate_groups))
    assert (exact, near) == (25, 25)
    said = (f"{len(rows.texts)} rows", f"{len(set(rows.duplicate_groups))}: 15", f"{min(words)} to {max(words)}")
    assert all(figure in CARD for figure in said)
