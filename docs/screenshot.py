"""Take a picture of the first screen of a report, with Debian's Chromium.

showdown report OUT --format html && python docs/screenshot.py OUT/report.html docs/images/report.png
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1180, 880


def main() -> None:
    """Write the picture."""
    page, target = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5)
        opened.goto(page.as_uri())
        bottom = opened.locator("#answer").bounding_box()
        assert bottom is not None
        height = int(bottom["y"] + bottom["height"])
        opened.screenshot(path=target, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
