"""The form of the predictions file of a task that writes text."""

COLUMNS = ("row", "cluster", "answer", "tokens", "finished", "loss", "loss_tokens")
"""The first columns; one for each score follows. `cluster` is the duplicate group."""
SCORE = "score: "
"""How the name of a column of scores begins; the key of the metric follows."""
