"""What can be removed of a comparison's folder, and its removal: saved models, or all that Showdown wrote."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from showdown.core.errors import UserError, suggestion, then
from showdown.core.record import GB, Results
from showdown.core.strict import Strict
from showdown.data.tables import count
from showdown.folders.listing import size_bytes
from showdown.runner.parcel import ARTIFACT
from showdown.runner.retention import best_of_each_arm
from showdown.runner.store import RESULT_FILE, Store, read_record, read_results
from showdown.verdict.summary import judge

_OURS = (
    "results.json",
    "comparison.json",
    "chosen.json",
    "forecast.json",
    "memory.json",
    "log.txt",
    "runs",
    "report",
    "report.md",
    "report.html",
    "report.pdf",
    "records.csv",
    "records.parquet",
    "table.tex",
    "paper",
    "trackers",
    "exports",
    "data/findings.csv",
    "data/inspection.json",
    "data/processed",
    ".sign",
    ".lock",
)
"""What Showdown writes into a comparison's folder. A folder may hold the user's own files beside it."""


class Removal(Strict):
    """What would be removed of a comparison, and what stays."""

    folder: str
    whole: bool
    """Whether nothing that Showdown wrote stays."""
    paths: list[str]
    """Files, and folders with all that is in them."""
    size_gb: float
    """What is free afterwards."""
    says: list[str]
    """What goes and what stays, a line each."""


def models_to_remove(output: Path, keep: Sequence[str] = ()) -> Removal:
    """Return the saved models of completed runs, but for the best one of each row that is kept.

    Results, predictions and reports stay. A run that is not over needs its model, which stays too.

    Args:
        output: the comparison's folder.
        keep: rows; by default the one with the best score, and the one that the verdict recommends.

    Raises:
        UserError: when the folder holds no results, or for a row that it does not have.

    """
    results, store = read_results(output), Store(output)
    why = {name: "as asked" for name in keep} or _winners(results, output)
    names = list(dict.fromkeys(run.name for run in results.runs))
    for name in why:
        if name not in names:
            raise UserError(f"--keep {name}: no such row{then(suggestion(name, names), 'it has ' + ', '.join(names))}")
    saved = [
        run
        for run in results.full_size.runs
        if run.name in why and run.status == "completed" and (store.run_folder(run.run_id) / ARTIFACT).is_dir()
    ]
    kept = {run.run_id: run.name for run in best_of_each_arm(saved)}
    folders = [folder for folder in _saved_models(store) if folder.parent.name not in kept]
    size = sum(map(size_bytes, folders)) / GB
    staying = [f"{name} ({reason})" for name, reason in why.items() if name in kept.values()]
    stays = f"the saved model{'s' if len(staying) > 1 else ''} of {', '.join(staying)}" if staying else "no saved model"
    return Removal(
        folder=str(output),
        whole=False,
        paths=[str(folder) for folder in folders],
        size_gb=size,
        says=[
            f"{count(len(folders), 'saved model')} of finished runs, {shown_size(size)}",
            f"kept: {stays}; results, predictions and reports",
        ],
    )


def _winners(results: Results, output: Path) -> dict[str, str]:
    """Return the row with the best score and the recommended one, each with why it stays."""
    if not any(run.status == "completed" for run in results.full_size.runs):
        return {}
    verdict = judge(results, output)
    scores = {row.name: row.score.value for row in verdict.rows if row.score is not None}
    best, chosen = verdict.ranking_metric.best(scores, scores.get), verdict.recommendation.chosen
    found = {} if best is None else {best: "best score"}
    if chosen is not None:
        found[chosen] = f"{found[chosen]}, recommended" if chosen in found else "recommended"
    return found


def _saved_models(store: Store) -> Iterator[Path]:
    """Yield the folders of the models of completed runs, those of earlier settings too."""
    for path in sorted(store.runs_folder.glob(f"*/{ARTIFACT}")):
        record = read_record(path.parent / RESULT_FILE)
        if record is not None and record.status == "completed" and path.is_dir() and not path.is_symlink():
            yield path


def whole_comparison(output: Path) -> Removal:
    """Return all that Showdown wrote into a comparison's folder. Other files in it stay.

    Raises:
        UserError: when it is no folder of a comparison.

    """
    if not output.is_dir():
        raise UserError(f"no folder {output}; give one that `showdown run` wrote")
    if not (output / "comparison.json").is_file():
        raise UserError(f"{output} holds no comparison (no comparison.json); give a folder that `showdown run` wrote")
    paths = [output / name for name in _OURS if (output / name).exists() or (output / name).is_symlink()]
    size = sum(path.lstat().st_size if _is_file(path) else size_bytes(path) for path in paths) / GB
    others = sorted(path.name for path in output.iterdir() if not _is_ours(path))
    stays = [f"kept, since Showdown did not write it: {', '.join(others[:5])}{' ...' if others[5:] else ''}"]
    return Removal(
        folder=str(output),
        whole=True,
        paths=list(map(str, paths)),
        size_gb=size,
        says=[f"the whole comparison in {output}: results, predictions, models, reports, {shown_size(size)}"]
        + (stays if others else []),
    )


def _is_ours(path: Path) -> bool:
    """Tell whether something at the top of a comparison's folder is Showdown's, with all that is in it."""
    if path.name != "data":
        return path.name in _OURS
    inner = {name.partition("/")[2] for name in _OURS if name.startswith("data/")}
    return path.is_dir() and all(one.name in inner for one in path.iterdir())


def _is_file(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def carry_out(removal: Removal) -> None:
    """Remove what was found, while no comparison runs there. Folders that are empty then are removed too.

    Raises:
        UserError: when a comparison runs there, or the folder has a link that leads outside.

    """
    output = Path(removal.folder)
    with Store(output).lock():
        for name in removal.paths:
            path = Path(name)
            if _is_file(path):
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path)
    if removal.whole:
        (output / ".lock").unlink(missing_ok=True)
        for folder in (output / "data", output):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def shown_size(gigabytes: float) -> str:
    """Return a size in GB or MB (1e9 or 1e6 bytes)."""
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{1000 * gigabytes:.1f} MB"
