"""Tasks: what is learned from the examples. `table.py` lists them."""
