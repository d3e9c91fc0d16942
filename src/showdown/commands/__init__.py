"""Commands in groups, each a thin call of `showdown.api`; `cli.py` has the others."""
