"""What a saved model says of itself, so that its folder alone can be opened."""

from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError, model_validator

from showdown.core.chat import Systems
from showdown.core.errors import UserError
from showdown.core.files import read_file
from showdown.core.record import Confidence, ScoreKind
from showdown.core.spec import Cleaning, RunSpec
from showdown.core.strict import Strict

MODEL_FILE = "model.json"
CONFIDENCE_FILE = "confidence.json"
LABELS_FILE = "labels.json"
"""The labels in the order of the scores, for those who open the model without Showdown."""
_MOST_BYTES = 50_000_000


class ModelDescription(Strict):
    """The content of `artifact/model.json`."""

    schema_version: Literal[1] = 1
    task: str
    """As in `spec`."""
    title: str
    """The method's title."""
    labels: list[str]
    """In the order of the scores."""
    clean: Cleaning
    """How texts are cleaned before they are scored."""
    text_column: str | None
    """The column of the texts in the training data, or of prompts or chats; None where it was guessed."""
    system: str | None = None
    """The system message that stands before a prompt that has none of its own, for a model that writes text."""
    systems: Systems | None = None
    """Which system messages the prompts had that it was trained on; None for a classifier, and in the descriptions of
    earlier versions, where `system` is that of `data.system` alone."""
    max_tokens: int | None
    """A longer text is cut after this many tokens; None for a method that counts no tokens."""
    score_kind: ScoreKind | None
    """None for a model that writes text."""
    spec: RunSpec
    """The run: base model and its pin, method with settings, protocol, seed. A base in a local folder goes by the
    folder's name, since its path means nothing elsewhere; its fingerprint identifies the files."""
    versions: dict[str, str]
    """Of Python and of the packages that trained the model."""

    @model_validator(mode="after")
    def _one_task(self) -> Self:
        if self.task != self.spec.task:
            raise ValueError(f"`task` is {self.task}, that of the run is {self.spec.task}")
        return self


def without_path(spec: RunSpec) -> RunSpec:
    """Return a run's spec with the name of a local base model in place of its path."""
    base = Path(spec.model.id)
    if not base.is_dir():
        return spec
    return spec.model_copy(update={"model": spec.model.model_copy(update={"id": base.resolve().name})})


def read_description(folder: Path) -> ModelDescription:
    """Read what a saved model says of itself.

    Args:
        folder: of the model.

    Raises:
        UserError: when the folder has no `model.json`, or one that is damaged or of another version.

    """
    path = folder / MODEL_FILE
    try:
        return ModelDescription.model_validate_json(read_file(path, most_bytes=_MOST_BYTES))
    except OSError as error:
        raise UserError(
            f"{folder} has no {MODEL_FILE}: it is no saved model, or one of an earlier version; give the comparison's "
            "folder and the row instead"
        ) from error
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise UserError(
            f"{path} is damaged or of another version ({where or 'no whole JSON'}: {fault['msg'][:200]}); "
            "use the version of Showdown that wrote it, or run the comparison again"
        ) from error


def read_confidence(folder: Path) -> Confidence | None:
    """Return what scoring measured of a saved model's confidence; None where that is not kept beside it."""
    try:
        return Confidence.model_validate_json(read_file(folder / CONFIDENCE_FILE, most_bytes=_MOST_BYTES))
    except (OSError, ValidationError):
        return None
