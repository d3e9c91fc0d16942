"""The arguments of `showdown predict` that are written without their options."""

from collections.abc import Sequence
from pathlib import Path

from showdown.core.errors import UserError


def row_and_file(
    model: Path, words: Sequence[str], row: str | None, file: Path | None
) -> tuple[str | None, Path | None]:
    """Return the row and the file, each from its option or from the words behind the model.

    Args:
        model: a saved model, or a comparison's folder, whose row is the first word.
        words: row and file, or the file alone.
        row: `--method`, if given.
        file: `--file`, if given.

    Raises:
        UserError: for more words than there can be.

    """
    rest = list(words)
    if rest and row is None and (model / "results.json").is_file():
        row = rest.pop(0)
    if rest and file is None:
        file = Path(rest.pop(0))
    if rest:
        raise UserError(
            f"`{rest[0]}` is one word too many; give a saved model and a file, or a comparison, a row and a file"
        )
    return row, file


def default_file(texts: Path | None) -> Path | None:
    """Return the CSV of predictions where none is named: beside the texts; None without a file of texts.

    Raises:
        UserError: when such a file is there already.

    """
    if texts is None:
        return None
    path = texts.with_name(f"{texts.stem}-predictions.csv")
    if path.exists():
        raise UserError(f"{path} is there already; name the file to write with --output")
    return path
