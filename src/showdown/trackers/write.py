"""A process that writes entries with one tracker: `python -m showdown.trackers.write NAME FOLDER PROJECT`.

Entries come as JSON lines on standard input; the key of each is said on standard output when it is written. What the
tracker's library prints goes to `log.txt` in the folder.
"""

import os
import sys
from pathlib import Path

from showdown.core.files import open_to_append
from showdown.trackers.table import build
from showdown.trackers.tracker import Entry


def main(name: str, folder: Path, project: str) -> None:
    """Write all entries."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with os.fdopen(open_to_append(folder / "log.txt"), "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    tracker = build(name, folder, project)
    for line in sys.stdin:
        entry = Entry.model_validate_json(line)
        tracker.write(entry)
        answers.write(entry.key + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
