"""Draw a comparison's table as it looks at a terminal.

python docs/picture.py OUT docs/images/quickstart.svg
"""

import re
import sys
from pathlib import Path

from rich.console import Console

import showdown
from showdown.report.terminal import print_table

COLUMNS = 118


def main() -> None:
    """Write the picture."""
    output, target = Path(sys.argv[1]), Path(sys.argv[2])
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        print_table(showdown.load(output), showdown.judge(output), console)
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = console.export_svg(title=f"showdown run: {output.name}")
    # The picture asks for nothing from outside: rich names a font on the web, any monospaced one will do.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
