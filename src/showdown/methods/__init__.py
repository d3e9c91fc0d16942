"""The methods. Each has one file, and one line in `table.py`."""
