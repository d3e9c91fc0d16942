"""Answering new texts with a saved model."""
