"""The texts of the test rows, read from the processed data that lie in a comparison's folder."""

from collections.abc import Iterator
from pathlib import Path

from showdown.core.examples import Examples
from showdown.core.record import Results
from showdown.data.prepare import load_side, partition_folder

_PROCESSED = Path("data") / "processed"


def tested_sides(results: Results, folder: Path) -> Iterator[Examples]:
    """Yield the test rows of each fold or repeat.

    Raises:
        UserError: where the processed data is gone or damaged.

    """
    count = int(results.data.get("partitions", 1))
    for partition in range(count):
        yield load_side(partition_folder(folder / _PROCESSED, partition, count), "test")
