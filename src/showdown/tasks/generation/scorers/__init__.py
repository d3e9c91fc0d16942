"""Scores of written answers. `table.py` lists them; docs/scores.md explains each."""
