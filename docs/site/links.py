"""A hook of MkDocs: links from a page to files outside docs/ become the file's name, since a site has no such file.

The pages are read beside the sources, too, where these links work.
"""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, files: Any, **_: object) -> str:
    """Return a page's text without links that lead out of docs/."""
    folder = posixpath.dirname(page.file.src_uri)

    def kept(found: "re.Match[str]") -> str:
        words, target = found.group(1), found.group(2)
        place = posixpath.normpath(posixpath.join(folder, target)).removeprefix("../")
        if "://" in target or files.get_file_from_path(place) is not None:
            return found.group(0)
        return words if words.strip("`") in (target, place) else f"{words} (`{place}`)"

    return _LINK.sub(kept, markdown)
