"""A folder's manifest: the size of every file in it, by which one that was cut short is told."""

import json
from pathlib import Path

from showdown.core.files import write_json

_MANIFEST = "manifest.json"


def write_sizes(folder: Path) -> None:
    """Write a folder's manifest: the size of every file in it."""
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    write_json(folder / _MANIFEST, sizes)


def damage(folder: Path) -> str | None:
    """Name the first file of a folder that its manifest does not bear out, or None for a whole folder.

    A cut shows in the size. What a disk changes without cutting is left to the disk.
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
