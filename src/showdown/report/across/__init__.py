"""Several comparisons beside each other: two models, two data sets, two GPUs."""
