"""Value ranges of a record. A results file may come from elsewhere, so impossible values are refused."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from showdown.core.spec import Cleaning, Quoting

_ROUNDING = 1e-9
"""Rounding error allowed when a weighted mean of shares exceeds 1."""

Share = Annotated[float, Field(ge=0.0, le=1.0 + _ROUNDING)]
"""A score, or a part of a whole, 0 to 1."""
Amount = Annotated[float, Field(ge=0.0)]
"""Seconds, sizes and speeds."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
RunId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}\z")]
"""The name of the run's folder."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or not path.isprintable():
        raise ValueError("must be a path inside the comparison's folder, such as `runs/NAME/curve.json`")
    return path


InsidePath = Annotated[str, AfterValidator(_inside)]
"""Path of a file, relative to the comparison's folder that holds it."""


class _Loose(BaseModel):
    """The keys that readers use; other keys are kept."""

    model_config = ConfigDict(extra="allow", strict=True)


class RequestedData(_Loose):
    """The data section of the comparison that the user requested."""

    source: str | None = None
    files: dict[str, str | None] | None = None
    text: str | None = None
    label: str | None = None
    prompt: str | None = None
    messages: str | None = None
    system: str | None = None
    encoding: str = "utf-8"
    separator: str | None = None
    quoting: Quoting = "auto"
    header: bool | Literal["auto"] = "auto"
    clean: Cleaning = "whitespace"


def requested_data(comparison: dict[str, Any]) -> RequestedData:
    """Return the source of a comparison's texts and how they were read; missing keys get their defaults."""
    return RequestedData.model_validate(comparison.get("data") or {})


class RequestedComparison(_Loose):
    """The comparison that the user requested."""

    name: str | None = None
    data: RequestedData | None = None
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


class _Written(_Loose):
    median_answer_words: Amount | None = None


class DataFacts(_Loose):
    """The `data` section of `results.json`."""

    fingerprint: str | None = None
    labels: list[str] = []
    allow_leakage: bool = False
    split: dict[str, Any] | None = None
    partitions: Annotated[int, Field(ge=1, le=100_000)] = 1
    audit: _Audit | None = None
    written: _Written | None = None
    inspection: _Inspection | None = None
    notices: list[str] = []


class Chosen(_Loose):
    """Settings of a run that the engine or tuning chose."""

    learning_rate: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    max_tokens: Count | None = None
    base_quantised_before: str | None = None


def valid_as(model: type[BaseModel]) -> AfterValidator:
    """Return a validator that checks a mapping against ``model`` and returns the mapping unchanged."""

    def check(mapping: dict[str, Any]) -> dict[str, Any]:
        model.model_validate(mapping)
        return mapping

    return AfterValidator(check)
