"""Predictions of a saved model for new texts."""
