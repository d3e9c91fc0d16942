"""Sending what trackers wrote to where the user's own settings of each tool say."""

from collections.abc import Iterator
from pathlib import Path

from showdown.core.errors import UserError
from showdown.trackers.table import FOLDER, TRACKERS, build


def upload(output: Path, project: str) -> Iterator[tuple[str, str]]:
    """Send each tracker's mirror of a comparison; yield its name and what was done.

    Args:
        output: the comparison's folder.
        project: name of the comparison.

    Raises:
        UserError: when nothing was tracked; after all others were sent, for those that could not be.

    """
    there = [name for name in TRACKERS if (output / FOLDER / name).is_dir()]
    if not there:
        raise UserError(
            f"nothing was tracked in {output}; run the comparison again with --track, one of {', '.join(TRACKERS)}"
        )
    failed = []
    for name in there:
        try:
            yield name, _sent(name, output / FOLDER / name, project)
        except UserError as error:
            failed.append(str(error))
    if failed:
        raise UserError("; ".join(failed))


def _sent(name: str, folder: Path, project: str) -> str:
    try:
        return build(name, folder, project).upload()
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"{name} is not installed: pip install 'finetuning-showdown[{name}]'") from error
    except Exception as error:
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise UserError(f"{name}: cannot be sent: {said[:300]}") from error
