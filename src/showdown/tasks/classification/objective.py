"""The loss of classification."""

from showdown.tasks.cross_entropy import CrossEntropyObjective


class CrossEntropy(CrossEntropyObjective):
    """Cross-entropy between the softmax of an example's logits and its label."""
