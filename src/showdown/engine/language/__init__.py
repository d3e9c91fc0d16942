"""Causal language models: their head, the loss in chunks, and the path for architectures that are not packed."""
