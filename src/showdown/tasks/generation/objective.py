"""The loss of generation: of the tokens that count."""

from showdown.tasks.cross_entropy import CrossEntropyObjective


class NextToken(CrossEntropyObjective):
    """Cross-entropy between the softmax of a token's logits and the token after it."""
