"""Decoders over packed sequences."""
