"""Read data sets from the Hugging Face Hub, with the optional package `datasets`. Their code is never run."""

import re
from typing import Any

from showdown.core.errors import UserError, suggestion, then
from showdown.core.quiet import quiet_loggers
from showdown.data.built_in import BUILT_INS
from showdown.data.parquet import arrow_table
from showdown.data.tables import Table, refuse_twin_columns, shown

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def read_hub(identity: str) -> Table:
    """Read the split `train` of a data set, or its only split. Labels stored as numbers are replaced by their names.

    Raises:
        UserError: when the package is missing, or when the data set cannot be found, reached or read.

    """
    near = suggestion(identity, BUILT_INS)
    try:
        import datasets
    except ImportError as error:
        fix = "to read it from the Hugging Face Hub, run `pip install 'finetuning-showdown[hub]'`"
        raise UserError(f"data.source: no file {shown(identity)}{then(near, fix)}") from error
    try:
        with quiet_loggers("huggingface_hub"):  # each failed attempt; if all fail, one error says so
            found = datasets.load_dataset(identity)
    except Exception as error:
        fix = f"check the name and the network ({type(error).__name__}: {shown(str(error))})"
        raise UserError(
            f"data.source: {shown(identity)} is not a file, and the Hugging Face Hub did not return it{then(near, fix)}"
        ) from error
    return _table(found, identity)


def _table(found: Any, identity: str) -> Table:
    names = list(found)
    if "train" not in names and len(names) != 1:
        raise UserError(
            f"{identity}: no split `train` among its splits {', '.join(names)}; save the split that you want as Parquet"
        )
    split = "train" if "train" in names else names[0]
    rows = found[split]
    refuse_twin_columns(identity, rows.column_names)
    for name, feature in rows.features.items():
        if type(feature).__name__ == "ClassLabel":
            rows = _with_label_names(rows, name, feature)
    table = arrow_table(rows.with_format("arrow")[:], identity)
    others = [name for name in names if name != split]
    notice = f"{identity}: split `{split}` is read" + (f", not {', '.join(others)}" if others else "")
    return Table(place=identity, names=table.names, numbers=table.numbers, column=table.column, notices=(notice,))


def _with_label_names(rows: Any, name: str, feature: Any) -> Any:
    """Replace the numbers of a label column by names; -1, which means no label, by a missing value."""
    import datasets

    texts = [None if number is None or number < 0 else feature.int2str(number) for number in rows[name]]
    order = rows.column_names
    replaced = rows.remove_columns(name).add_column(name, texts, feature=datasets.Value("string"))
    return replaced.select_columns(order)
