"""How rows are divided into training, validation and test side: one model a kind."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from showdown.core.strict import Strict

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class _Split(Strict):
    """What every kind of split has."""

    seed: int = 42
    """Draws the duplicate groups onto the sides; the seeds of the runs do not touch it."""

    @model_validator(mode="before")
    @classmethod
    def _own_settings(cls, written: object) -> Any:
        """Name the kind that a setting of another kind belongs to."""
        if isinstance(written, dict):
            kind = cls.model_fields["kind"].default
            for key in written:
                owners = [name for name, other in SPLIT_KINDS.items() if key in other.model_fields]
                if owners and kind not in owners:
                    raise ValueError(f"`{key}` is no setting of kind `{kind}`; it belongs to kind {_either(owners)}")
        return written


class _Shares(_Split):
    """Shares of the rows; they add up to 1."""

    train: Fraction = 0.70
    validation: Fraction = 0.15
    test: Fraction = 0.15

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if abs(self.train + self.validation + self.test - 1.0) > 1e-9:
            raise ValueError("train, validation and test must add up to 1")
        return self


class SingleSplit(_Shares):
    """One split."""

    kind: Literal["single"] = "single"


class RepeatedSplit(_Shares):
    """Several random splits, whose test rows may overlap."""

    kind: Literal["repeated"] = "repeated"
    repeats: int = Field(default=5, ge=2)


class KFoldSplit(_Split):
    """Cross-validation: each fold is the test side once, so that every row is tested exactly once."""

    kind: Literal["kfold"] = "kfold"
    folds: int = Field(default=5, ge=2)
    validation: Fraction = 0.15
    """Share of all rows, cut anew from the training rows of each fold."""

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> Self:
        if self.validation + 1 / self.folds > 0.9:
            raise ValueError(f"validation and one of {self.folds} folds leave under a tenth of the rows for training")
        return self


class GivenSplit(_Split):
    """The split files of `data.files`; the seed draws the subsets of a learning curve and missing validation rows."""

    kind: Literal["given"] = "given"
    validation: Fraction = 0.15
    """Share of the training file's rows that are validation rows where `data.files` names none."""


class AutoSplit(_Split):
    """The given split files where there are any, else `kfold` for few different rows and `single` for many."""

    kind: Literal["auto"] = "auto"


SPLIT_KINDS: dict[str, type[_Split]] = {
    "auto": AutoSplit,
    "single": SingleSplit,
    "kfold": KFoldSplit,
    "repeated": RepeatedSplit,
    "given": GivenSplit,
}


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _kind_of(written: object) -> Any:
    return written.get("kind", "auto") if isinstance(written, dict) else getattr(written, "kind", None)


SplitSpec = Annotated[
    Annotated[AutoSplit, Tag("auto")]
    | Annotated[SingleSplit, Tag("single")]
    | Annotated[KFoldSplit, Tag("kfold")]
    | Annotated[RepeatedSplit, Tag("repeated")]
    | Annotated[GivenSplit, Tag("given")],
    Discriminator(
        _kind_of,
        custom_error_type="split_kind",
        custom_error_message="a split is a mapping whose `kind` is auto, single, kfold, repeated or given",
    ),
]
"""How rows are divided, by `kind`. Duplicate groups stay on one side in every kind."""
