"""Training and validation curves of a run, read from its `curve.json`."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from showdown.core.bounds import Count
from showdown.core.files import read_file

_LARGEST_BYTES = 100_000_000
_Number = Annotated[int, Field(gt=-(2**63), lt=2**63)] | Annotated[float, Field(allow_inf_nan=False)]


class _Loose(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Epoch(_Loose):
    """Validation scores after an epoch. Other numbers are kept, such as those of a task that writes text."""

    __pydantic_extra__: dict[str, _Number | None]

    epoch: Count
    step: Count
    f1_macro: _Number | None = None


class Curve(_Loose):
    """Numbers of each optimizer step, in columns of one length, and scores of each epoch."""

    training: dict[str, list[_Number | None]]
    validation: list[Epoch]

    @model_validator(mode="after")
    def _columns_are_even(self) -> Self:
        known = [self.training.get(name) for name in ("step", "loss")]
        if any(column is None or None in column for column in known):
            raise ValueError("`training` needs `step` and `loss` for every step")
        if len({len(column) for column in self.training.values()}) > 1:
            raise ValueError("the columns of `training` must have one length")
        return self


def read_curve(path: Path) -> dict[str, Any] | None:
    """Return `training` and `validation` of a curve file; None when it is missing or invalid."""
    try:
        return Curve.model_validate_json(read_file(path, most_bytes=_LARGEST_BYTES)).model_dump(exclude_unset=True)
    except (OSError, ValidationError):
        return None
