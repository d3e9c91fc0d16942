"""Showing results: the comparison table, and the reports. One file and one line a format."""
