from pathlib import Path

from showdown.verdict.claim import NEW_TRAINING_ROWS, THESE_TRAINING_ROWS, claim

DOCS = Path(__file__).parents[2] / "docs" / "verdict.md"


def test_repeated_splits_alone_speak_of_other_training_rows():
    assert claim(repeated=False) == THESE_TRAINING_ROWS
    assert claim(repeated=True) == NEW_TRAINING_ROWS


def test_docs_and_sentences_agree():
    docs = " ".join(DOCS.read_text(encoding="utf-8").replace("**", "").split())
    shared = "about new test texts and other seeds, for methods trained on these training rows"
    assert shared in THESE_TRAINING_ROWS
    assert shared in docs
    drawn = "other training rows drawn like these"
    assert drawn in NEW_TRAINING_ROWS
    assert drawn in docs
