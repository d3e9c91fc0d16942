"""The methods that compete. One file a method, one line each in `table.py`."""
