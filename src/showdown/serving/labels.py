"""A model that gives labels, behind `/predict`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from showdown.core.errors import UserError
from showdown.core.record import ScoreKind
from showdown.data.clean import clean
from showdown.data.read import unwritable
from showdown.prediction.model import Model, Prediction
from showdown.prediction.threshold import threshold_of
from showdown.serving.asking import Desk
from showdown.serving.batch import estimated_tokens
from showdown.serving.limits import Limits
from showdown.serving.requested import refuse_long, single_or_several
from showdown.serving.served import Refused, Served

_MOST_ROWS = 64
_WARM_UP = "a short text"


class LabelRequest(BaseModel):
    """One text or several, and what to say of each."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(default=None, description="One text.", examples=["Eight years of ABAP."])
    texts: list[str] | None = Field(default=None, description="Several texts, in place of `text`.")
    top: int = Field(default=1, ge=1, description="How many labels to name, the best first.")
    coverage: float | None = Field(
        default=None,
        description="Share of texts to be sure of, as in `showdown predict --coverage`; the server's own by default.",
    )
    threshold: float | None = Field(
        default=None, description="The least confidence of a sure answer, in place of `coverage`."
    )


class RankedLabel(BaseModel):
    """One label with its score."""

    label: str
    score: float


class LabelAnswer(BaseModel):
    """The answer to one text, equal to that of `showdown predict`."""

    label: str
    score: float = Field(description="Of the label; `score_kind` says what it is.")
    score_kind: ScoreKind
    confidence: float = Field(description="The probability, or the lead over the second best where scores are none.")
    unsure: bool = Field(description="Whether the confidence is below the threshold: ask a person.")
    top: list[RankedLabel] = Field(description="The best labels, as many as were asked for.")


class LabelResponse(BaseModel):
    """An answer for each text, in their order."""

    model: str
    answers: list[LabelAnswer]


class ServedModel(Served):
    """A classifier of texts."""

    most_rows = _MOST_ROWS

    def __init__(self, model: Model, coverage: float | None) -> None:
        """Take the model.

        Args:
            model: opened.
            coverage: of requests that name none; None is sure of all.

        Raises:
            UserError: for a coverage for which the model has no threshold.

        """
        threshold_of(model.name, model.confidence, coverage)
        self.model, self.coverage = model, coverage
        self.pads = model.classifier.pads

    def about(self) -> dict[str, Any]:
        """Name the model, its labels and what its scores are."""
        return {
            "name": self.model.name,
            "task": "classification",
            "labels": list(self.model.labels),
            "score_kind": self.model.classifier.score_kind,
        }

    def tokens(self, text: str) -> int:
        """Estimate by the text's bytes; a long text is cut."""
        return estimated_tokens(text, self.model.classifier.limit)

    def answer(self, texts: Sequence[str]) -> list[object]:
        """Predict the label of each text, with all labels ranked: what is asked for differs between requests."""
        return list(self.model.predict(texts, top=len(self.model.labels)))

    def warm_up(self) -> None:
        """Answer a text twice, since CUDA graphs are recorded at the second time."""
        for _ in range(2):
            self.model.predict([_WARM_UP])

    def texts(self, asked: LabelRequest, limits: Limits) -> list[str]:
        """Return the texts of a request.

        Raises:
            Refused: for a text that is empty, too long, or not to be written as UTF-8.

        """
        texts = single_or_several(asked.text, asked.texts, ("text", "texts"), limits)
        for number, text in enumerate(texts):
            place = "text" if asked.texts is None else f"texts[{number}]"
            refuse_long(len(text), place, limits)
            fault = unwritable(text)
            if fault:
                raise Refused(422, f"{place} contains {fault}; remove it")
            if not clean(text, self.model.data.clean).strip():
                raise Refused(
                    422, f"{place} is empty (cleaned with `{self.model.data.clean}`); give a text with words"
                )  # fmt: skip
        return texts

    def threshold(self, asked: LabelRequest) -> float:
        """Return the least confidence of a sure answer.

        Raises:
            Refused: for both a threshold and a coverage, or a coverage for which there is none.

        """
        if asked.threshold is not None:
            if asked.coverage is not None:
                raise Refused(422, "give either `coverage` or `threshold`")
            return asked.threshold
        coverage = self.coverage if asked.coverage is None else asked.coverage
        try:
            return threshold_of(self.model.name, self.model.confidence, coverage)
        except UserError as error:
            raise Refused(422, str(error).replace("--coverage", "coverage")) from error


def label_route(served: ServedModel, desk: Desk) -> Callable[..., Awaitable[LabelResponse]]:
    """Return the route of `/predict`."""
    from fastapi import Request

    async def predict(asked: LabelRequest, request: Request) -> LabelResponse:
        """Label texts. The answers are those of `showdown predict`, whatever is answered at the same time."""
        texts, threshold = served.texts(asked, desk.limits), served.threshold(asked)
        found: list[Any] = await desk.answers(request, texts, "texts")
        answers = [_answer(one, asked.top, threshold) for one in found]
        return LabelResponse(model=served.model.name, answers=answers)

    return predict


def _answer(one: Prediction, top: int, threshold: float) -> LabelAnswer:
    return LabelAnswer(
        label=one.label,
        score=one.score,
        score_kind=one.score_kind,
        confidence=one.confidence,
        unsure=not one.confidence >= threshold,
        top=[RankedLabel(label=label, score=score) for label, score in one.ranked[:top]],
    )
