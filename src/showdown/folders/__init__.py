"""Folders of comparisons: which there are, and what of them is removed."""
