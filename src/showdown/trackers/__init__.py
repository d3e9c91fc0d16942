"""Copies of a comparison in experiment trackers. They get names and numbers, never a text of the data.

A tracker gets an `Entry`, which is built from an allow-list. A separate process with a time limit writes it.
"""
