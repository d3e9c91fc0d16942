"""Mirrors of a comparison in the tools that people watch experiments with: names and numbers, never a text of the data.

What a tracker gets is an `Entry`, built from an allow-list; what writes it is a process of its own with bounded time.
"""
