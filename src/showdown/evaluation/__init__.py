"""Scoring what was saved and reloaded: predictions, metrics, speed."""
