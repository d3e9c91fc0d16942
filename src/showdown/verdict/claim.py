"""What the scores and differences of a comparison generalise to, in one sentence for all reports."""

THESE_TRAINING_ROWS = (
    "Scores and differences are about new test texts and other seeds, for methods trained on these training rows; "
    "other training rows may rank the methods differently, and no interval here includes that."
)
"""For one split, given files, and cross-validation: its folds share most of their training rows, so that they do not
tell how much another draw of them would change (Bengio and Grandvalet 2004)."""

NEW_TRAINING_ROWS = (
    "Scores and differences are about new test texts, other seeds, and other training rows drawn like these, as many: "
    "the splits were drawn anew."
)
"""For repeated splits, whose test corrects for the training rows that they share (Nadeau and Bengio 2003)."""


def claim(*, repeated: bool) -> str:
    """Return the sentence that tells what scores and differences generalise to.

    Args:
        repeated: whether the splits are repeated.

    """
    return NEW_TRAINING_ROWS if repeated else THESE_TRAINING_ROWS
