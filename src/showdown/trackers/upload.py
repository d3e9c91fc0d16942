"""Upload what the trackers wrote, to the places that each tool's own settings name."""

from collections.abc import Iterator
from pathlib import Path

from showdown.core.errors import UserError
from showdown.trackers.table import FOLDER, TRACKERS, build


def upload(output: Path, project: str) -> Iterator[tuple[str, str]]:
    """Upload each tracker's copy of a comparison; yield the tracker's name and a line that says what was sent.

    Args:
        output: the comparison's folder.
        project: name of the comparison.

    Raises:
        UserError: when nothing was tracked, or when an upload failed. All others are sent first.

    """
    tracked = [name for name in TRACKERS if (output / FOLDER / name).is_dir()]
    if not tracked:
        raise UserError(
            f"nothing was tracked in {output}; run the comparison again with --track, one of {', '.join(TRACKERS)}"
        )
    failed = []
    for name in tracked:
        try:
            yield name, _upload(name, output / FOLDER / name, project)
        except UserError as error:
            failed.append(str(error))
    if failed:
        raise UserError("; ".join(failed))


def _upload(name: str, folder: Path, project: str) -> str:
    try:
        return build(name, folder, project).upload()
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"{name} is not installed: pip install 'finetuning-showdown[{name}]'") from error
    except Exception as error:
        message = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise UserError(f"{name}: upload failed: {message[:300]}") from error
