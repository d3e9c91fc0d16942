"""Measurements of speed, memory and statistics: see README.md."""
