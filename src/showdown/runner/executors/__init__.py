"""Where stages run: one file an executor, one line each in `table.py`."""
