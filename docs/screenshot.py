"""Take a picture of a part of a report's page, with Debian's Chromium.

    python docs/screenshot.py OUT docs/images/report.png
    python docs/screenshot.py OUT docs/images/samples.png samples 2

OUT is the folder of a comparison, whose page is written first. Without more words it is the first screen; with the name
of a section this section, or of its rows (samples, disagreements) so many.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

import showdown

WIDTH, HEIGHT = 1180, 880
FIRST = "answer"
"""The section that ends the first screen."""


def main() -> None:
    """Write the picture."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    section = sys.argv[3] if len(sys.argv) > 3 else FIRST
    rows = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    (page,) = showdown.write_reports(folder, formats=["html"])
    target.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5)
        opened.goto(page.resolve().as_uri())
        of_section = opened.locator(f"#{section}")
        top = 0 if section == FIRST else _edges(of_section)[0]
        bottom = _edges(of_section.locator("article").nth(rows - 1) if rows else of_section)[1]
        opened.set_viewport_size({"width": WIDTH, "height": bottom})
        opened.screenshot(path=target, clip={"x": 0, "y": top, "width": WIDTH, "height": bottom - top})
        browser.close()


def _edges(part: Locator) -> tuple[int, int]:
    """Return where a part of the page begins and ends, in pixels from its top."""
    box = part.bounding_box()
    assert box is not None
    return int(box["y"]), int(box["y"] + box["height"])


if __name__ == "__main__":
    main()
