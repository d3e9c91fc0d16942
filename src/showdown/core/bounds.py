"""What values of a record can be: a results file comes from elsewhere, and one that cannot be true is not read."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from showdown.core.spec import Cleaning, Quoting

_ROUNDING = 1e-9
"""By which a weighted mean of shares may miss 1."""

Share = Annotated[float, Field(ge=0.0, le=1.0 + _ROUNDING)]
"""A score or a part of a whole."""
Amount = Annotated[float, Field(ge=0.0)]
"""Seconds, sizes and speeds."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
RunId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}\z")]
"""It is the name of the run's folder."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or not path.isprintable():
        raise ValueError("a place in the comparison's folder, as in `runs/NAME/curve.json`")
    return path


InsidePath = Annotated[str, AfterValidator(_inside)]
"""A file of the comparison's folder, named relative to it."""


class _Loose(BaseModel):
    """What a reader counts on; there may be more."""

    model_config = ConfigDict(extra="allow", strict=True)


class AskedData(_Loose):
    """Where the texts came from, of the comparison as it was asked for."""

    source: str | None = None
    files: dict[str, str | None] | None = None
    text: str | None = None
    label: str | None = None
    encoding: str = "utf-8"
    separator: str | None = None
    quoting: Quoting = "auto"
    header: bool | Literal["auto"] = "auto"
    clean: Cleaning = "whitespace"


def asked_data(comparison: dict[str, Any]) -> AskedData:
    """Return where a comparison's texts came from and how they were read; defaults where results do not say."""
    return AskedData.model_validate(comparison.get("data") or {})


class Asked(_Loose):
    """The comparison as it was asked for."""

    name: str | None = None
    data: AskedData | None = None
    margin_points: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0


class _Across(_Loose):
    test_copies: Count
    test_rows: Count


class _Audit(_Loose):
    rows_used: Count = 0
    across: _Across | None = None


class _Lengths(_Loose):
    longest_tokens: Count


class _LeakWorth(_Loose):
    leaky_accuracy: Share
    clean_accuracy: Share


class _Inspection(_Loose):
    lengths: _Lengths | None = None
    leak_worth: _LeakWorth | None = None


class DataFacts(_Loose):
    """What `results.json` says of the data."""

    fingerprint: str | None = None
    labels: list[str] = []
    allow_leakage: bool = False
    split: dict[str, Any] | None = None
    partitions: Annotated[int, Field(ge=1, le=100_000)] = 1
    audit: _Audit | None = None
    inspection: _Inspection | None = None
    notices: list[str] = []


class Chosen(_Loose):
    """What the engine chose and tuning found, of a run."""

    learning_rate: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    max_tokens: Count | None = None


def as_written(model: type[BaseModel]) -> Any:
    """Return a check that a mapping is such a model, which leaves the mapping as it is."""

    def check(found: dict[str, Any]) -> dict[str, Any]:
        model.model_validate(found)
        return found

    return AfterValidator(check)
