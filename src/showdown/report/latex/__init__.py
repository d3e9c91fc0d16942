"""LaTeX: a table ready for `\\input`, and the draft of a paper."""
