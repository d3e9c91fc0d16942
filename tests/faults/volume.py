"""How much of the programme of faults is run: a part every day, all of it by `make faults`."""

import os

ALL = "SHOWDOWN_FAULTS"
"""Set in the environment, all of it is run."""


def of_all(whole: int, every_day: int = 1) -> int:
    """Return how many parts to run: all where that is asked for, else the number of every day."""
    return whole if os.environ.get(ALL) else every_day
