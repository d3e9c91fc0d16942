"""All records as Parquet, for pandas, Polars or DuckDB."""

import io
from pathlib import Path

from showdown.core.files import write_bytes
from showdown.core.record import Results
from showdown.report.records.flat import flat_columns
from showdown.verdict.model import Verdict


def write_parquet(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `records.parquet` into the comparison's folder and return its path; text is exact, unlike in the CSV."""
    import pyarrow
    from pyarrow import parquet

    del verdict
    path = folder / "records.parquet"
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(flat_columns(results)), file)
    write_bytes(path, file.getvalue())
    return path
