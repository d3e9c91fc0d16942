"""A pickle that gives itself away: whoever loads it makes a file."""

import pickle
from pathlib import Path


class Canary:
    """Writes a file where it is unpickled."""

    def __init__(self, sings: Path) -> None:
        self.sings = sings

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.sings,)


def canary(sings: Path) -> bytes:
    return pickle.dumps(Canary(sings))
