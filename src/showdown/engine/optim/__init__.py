"""Optimizers: what a step does to the weights, and where the optimizer state lies."""
