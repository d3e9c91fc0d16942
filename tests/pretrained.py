"""The type of the fixture `pretrained`, which gives the folder of a tiny pretrained model of a family."""

from collections.abc import Callable
from pathlib import Path

Pretrained = Callable[[str], Path]
