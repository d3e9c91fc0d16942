"""Files of a folder as bytes, for a machine that does not see the folder, and back."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from showdown.core.errors import UserError
from showdown.core.files import read_file, write_bytes, write_folder

Files = Mapping[str, bytes]
"""Content by path, relative to a folder, with `/`."""
COMMITTED_LAST = ("tune.json", "train.json", "score.json")
"""Files of a run's folder that say that a stage is whole."""
ARTIFACT = "artifact"


def files_of(folder: Path, *, skip: Collection[str] = (), within: Path | None = None) -> dict[str, bytes]:
    """Return all regular files below a folder. Links are left out.

    Args:
        folder: where; nothing is returned where there is none.
        skip: names directly in it that are left out.
        within: the folder that paths are relative to; by default the same.

    """
    found = {}
    for place, folders, names in os.walk(folder):
        left_out = skip if Path(place) == folder else ()
        folders[:] = [name for name in folders if name not in left_out]
        for name in sorted(set(names).difference(left_out)):
            path = Path(place) / name
            try:
                found[path.relative_to(within or folder).as_posix()] = read_file(path)
            except OSError:
                continue  # a link or a pipe
    return found


def unpack(files: Files, folder: Path) -> None:
    """Write files below a folder.

    Raises:
        UserError: for a path that leads out of it.

    """
    for name, content in files.items():
        write_bytes(folder / _inside(name), content)


def take_in(files: Files, folder: Path) -> None:
    """Write the files of a stage into its run's folder: the model as a whole, and last those that say so.

    Args:
        files: of the stage, by path relative to the run's folder.
        folder: the run's.

    Raises:
        UserError: for a path that leads out of it, a full disk.

    """
    model = {name.removeprefix(f"{ARTIFACT}/"): files[name] for name in files if name.startswith(f"{ARTIFACT}/")}
    rest = {name: files[name] for name in files if not name.startswith(f"{ARTIFACT}/")}
    if model:
        write_folder(folder / ARTIFACT, lambda partial: unpack(model, partial))
    unpack({name: content for name, content in rest.items() if name not in COMMITTED_LAST}, folder)
    unpack({name: content for name, content in rest.items() if name in COMMITTED_LAST}, folder)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UserError(f"a machine of the cluster sent a file `{name[:80]}`, which leads out of the run's folder")
    return path
