"""Statistics of predicted labels: right or wrong, counts of labels, F1."""
