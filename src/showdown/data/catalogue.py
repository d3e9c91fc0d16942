"""Data sets that can be had by name: those that come with Showdown, and the study's, which is brought from Kaggle."""

from dataclasses import dataclass
from pathlib import Path

from showdown.core.errors import UserError, suggestion, then
from showdown.core.files import prepare_to_write, write_bytes
from showdown.core.quiet import quiet_loggers
from showdown.core.spec import DataSpec
from showdown.data.built_in import BUILT_INS
from showdown.data.read import read_table
from showdown.data.tables import count


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A data set that is brought from Kaggle."""

    handle: str
    """Of the data set on Kaggle."""
    remote: str
    """The file there."""
    file: str
    """What it is called here."""
    rows: int
    labels: int
    columns: tuple[str, str]
    about: str

    @property
    def url(self) -> str:
        """Return the page of the data set."""
        return f"https://www.kaggle.com/datasets/{self.handle}"

    @property
    def by_hand(self) -> str:
        """Return how a person brings it."""
        return f"download {self.remote} from {self.url} and save it as {self.file} in this folder"


STUDY = "study"
FETCHED: dict[str, Fetched] = {
    STUDY: Fetched(
        handle="jillanisofttech/updated-resume-dataset",
        remote="UpdatedResumeDataSet.csv",
        file="resumes.csv",
        rows=962,
        labels=25,
        columns=("Category", "Resume"),
        about="the resumes of the published study: 962 rows with 25 labels, only 166 different texts (docs/study.md)",
    )
}
_OTHER_NAMES = {"resumes": STUDY}
"""`resumes` alone, as `data.source`, is the built-in set. Nothing has to be brought for it, so that here it can only
mean the file of that name."""
_ABOUT = {
    "resumes": "resumes written for this project, 425 rows with 25 labels (docs/data-card.md)",
    "notes": "short notes of orders with the same as JSON, 660 rows (docs/data-card-notes.md)",
}


def catalogue(folder: Path) -> list[str]:
    """Return a line for each data set that can be had by name.

    Args:
        folder: where a set that was brought would be.

    """
    width = max(map(len, [*BUILT_INS, *FETCHED]))
    lines = ["Built in; a comparison names them as `data.source`:"]
    lines += [f"  {name:<{width}}  {known.task}: {_ABOUT[name]}" for name, known in BUILT_INS.items()]
    lines.append("From Kaggle, with `showdown data NAME`:")
    for name, known in FETCHED.items():
        state = "here" if (folder / known.file).is_file() else f"not here; `showdown data {name}` brings it"
        lines.append(f"  {name:<{width}}  classification: {known.about}; as {known.file}, {state}")
    return [
        *lines,
        "Any data set of the Hugging Face Hub: `showdown init --hub USER/DATASET`, with the extra `hub`",
        "Your own file (.csv, .tsv, .jsonl, .json, .parquet): `showdown init FILE`",
    ]


def fetch(name: str, folder: Path, *, force: bool = False) -> tuple[Path, list[str]]:
    """Bring a data set into a folder.

    Args:
        name: of the set.
        folder: where its file is written.
        force: whether a file that is there is replaced.

    Returns:
        The file, and what is to be known of it, a line each.

    Raises:
        UserError: for another name, or where the set cannot be brought: with how a person brings it.

    """
    known = FETCHED.get(_OTHER_NAMES.get(name, name))
    if known is None:
        if name in BUILT_INS:
            raise UserError(f"`{name}` is built in: nothing has to be brought, name it as `data.source: {name}`")
        names = [*FETCHED, *_OTHER_NAMES, *BUILT_INS]
        raise UserError(f"no data set `{name}`{then(suggestion(name, names), '`showdown data` lists them')}")
    path = folder / known.file
    said = []
    if path.is_file() and not force:
        said.append(f"{path} is here already; --force brings it anew")
    else:
        prepare_to_write(path)
        write_bytes(path, _downloaded(known).read_bytes())
    said += _fault_of(path, known)
    if name in BUILT_INS:
        said.append(f"this is the study's file {known.file}; `{name}` without an ending stays the built-in set")
    return path, said


def _fault_of(path: Path, known: Fetched) -> list[str]:
    """Return a line where a file is not the data set that was meant."""
    table = read_table(DataSpec(source=str(path)))
    if tuple(table.names) == known.columns and len(table.numbers) == known.rows:
        return []
    return [
        f"{path} has {count(len(table.numbers), 'row')} and the columns {', '.join(table.names)}; the study's has "
        f"{known.rows} and {', '.join(known.columns)}, so that results will differ from the study's"
    ]


def _downloaded(known: Fetched) -> Path:
    """Return the file in the cache of Kaggle's library, which downloads it if need be.

    Raises:
        UserError: where the library is missing, or Kaggle cannot be reached or does not return the file.

    """
    try:
        with quiet_loggers("kagglehub"):
            import kagglehub
    except ImportError as error:
        raise UserError(
            f"kagglehub is not installed: `pip install 'finetuning-showdown[kaggle]'`, or {known.by_hand}"
        ) from error
    try:
        with quiet_loggers("kagglehub"):
            return Path(kagglehub.dataset_download(known.handle, path=known.remote))
    except Exception as error:  # the library raises whatever it meets
        raise UserError(f"Kaggle did not return the data ({type(error).__name__}); {known.by_hand}") from error
