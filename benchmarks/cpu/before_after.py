"""Two versions of Showdown side by side on a CPU (`benchmarks/lib/before_after.py`)."""

from benchmarks.lib.before_after import main

if __name__ == "__main__":
    main(__file__, "cpu")
