"""Optimisers: what a step does to weights, and where its state lies."""
