"""The process that writes entries with one tracker: `python -m showdown.trackers.write NAME FOLDER PROJECT`.

It reads entries as JSON lines from standard input, and prints the key of each when it is written. The output of the
tracker's library goes to `log.txt` in the folder.
"""

import os
import sys
from pathlib import Path

from showdown.core.files import open_to_append
from showdown.trackers.table import build
from showdown.trackers.tracker import Entry


def main(name: str, folder: Path, project: str) -> None:
    """Write all entries from standard input."""
    keys = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with os.fdopen(open_to_append(folder / "log.txt"), "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    tracker = build(name, folder, project)
    for line in sys.stdin:
        entry = Entry.model_validate_json(line)
        tracker.write(entry)
        keys.write(entry.key + "\n")
        keys.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
