"""A folder's manifest: the size of every file, by which a truncated file is detected."""

import json
from pathlib import Path

from showdown.core.files import write_json

_MANIFEST = "manifest.json"


def write_sizes(folder: Path) -> None:
    """Write a folder's manifest."""
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    write_json(folder / _MANIFEST, sizes)


def damage(folder: Path) -> str | None:
    """Return the path of the first file that is missing or differs in size from the manifest; None when all agree.

    Content is not checked: a file that changed but kept its size is not detected.
    """
    manifest = folder / _MANIFEST
    try:
        sizes = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return str(manifest)
    if not isinstance(sizes, dict):
        return str(manifest)
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return str(path)
    return None
