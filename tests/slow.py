"""Write tests/slow.txt, the tests that `make test-fast` leaves out, from how long each took.

    pytest --durations=0 --durations-min=0.05 > durations.txt
    python tests/slow.py durations.txt

A test is slow if a call of it takes more than half a second. A file is slow if one of its fixtures takes more than a
second, because whichever of its tests comes first pays for that.
"""

import re
import sys
from pathlib import Path

LIST = Path(__file__).with_name("slow.txt")
_LINE = re.compile(r"\s*(?P<seconds>[\d.]+)s (?P<part>call|setup|teardown)\s+(?P<file>tests/[\w/]+\.py)::(?P<test>\w+)")
_MOST_CALL_SECONDS = 0.5
_MOST_SETUP_SECONDS = 1.0


def slow_tests(durations: str) -> list[str]:
    """Return files, and tests as `FILE::TEST`, without a test whose file is there."""
    files, tests = set(), set()
    for found in _LINE.finditer(durations):
        seconds = float(found["seconds"])
        if found["part"] == "call" and seconds > _MOST_CALL_SECONDS:
            tests.add(f"{found['file']}::{found['test']}")
        elif found["part"] == "setup" and seconds > _MOST_SETUP_SECONDS:
            files.add(found["file"])
    return sorted(files | {test for test in tests if test.partition("::")[0] not in files})


if __name__ == "__main__":
    LIST.write_text("\n".join(slow_tests(Path(sys.argv[1]).read_text(encoding="utf-8"))) + "\n", encoding="utf-8")
