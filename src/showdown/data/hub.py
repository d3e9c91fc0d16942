"""Data sets of the Hugging Face Hub, through the extra package `datasets`. Their code is never run."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from showdown.core.errors import UserError, suggestion, then
from showdown.data.parquet import arrow_table
from showdown.data.tables import Table, refuse_twin_columns, shown

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
BUILT_IN = "resumes"


def read_hub(identity: str) -> Table:
    """Read a data set: its split `train`, or its only one. Labels kept as numbers become their names.

    Raises:
        UserError: when the package is missing, or the data set cannot be found, reached or read.

    """
    near = suggestion(identity, [BUILT_IN])
    try:
        import datasets
    except ImportError as error:
        mend = "to read it from the Hugging Face Hub install `pip install 'finetuning-showdown[hub]'`"
        raise UserError(f"data.source: no file {shown(identity)}{then(near, mend)}") from error
    try:
        with _retries_unsaid():
            found = datasets.load_dataset(identity)
    except Exception as error:
        mend = f"check the name and the network ({type(error).__name__}: {shown(str(error))})"
        raise UserError(
            "data.source: neither a file nor a data set that the Hugging Face Hub gives: "
            f"{shown(identity)}{then(near, mend)}"
        ) from error
    return _table(found, identity)


@contextmanager
def _retries_unsaid() -> Iterator[None]:
    """Keep the hub's library from telling each of its attempts: where all fail, one line says so."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _table(found: Any, identity: str) -> Table:
    names = list(found)
    if "train" not in names and len(names) != 1:
        raise UserError(f"{identity}: which split? It has {', '.join(names)} and no `train`; save one as Parquet")
    split = "train" if "train" in names else names[0]
    rows = found[split]
    refuse_twin_columns(identity, rows.column_names)
    for name, feature in rows.features.items():
        if type(feature).__name__ == "ClassLabel":
            rows = _with_label_names(rows, name, feature)
    table = arrow_table(rows.with_format("arrow")[:], identity)
    others = [name for name in names if name != split]
    said = f"{identity}: split `{split}` is read" + (f", not {', '.join(others)}" if others else "")
    return Table(place=identity, names=table.names, numbers=table.numbers, column=table.column, notices=(said,))


def _with_label_names(rows: Any, name: str, feature: Any) -> Any:
    """Replace numbers of a label column by names; -1, which stands for no label, becomes a missing one."""
    import datasets

    texts = [None if number is None or number < 0 else feature.int2str(number) for number in rows[name]]
    order = rows.column_names
    replaced = rows.remove_columns(name).add_column(name, texts, feature=datasets.Value("string"))
    return replaced.select_columns(order)
