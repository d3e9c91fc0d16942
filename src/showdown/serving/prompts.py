"""A model that writes, behind `/predict`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from showdown.core.chat import Role, prompt_of
from showdown.core.errors import UserError
from showdown.prediction.writer import WriterModel, WrittenAnswer
from showdown.serving.asked import Unanswered
from showdown.serving.asking import Desk
from showdown.serving.batch import estimated_tokens
from showdown.serving.limits import Limits
from showdown.serving.requested import refuse_long, single_or_several
from showdown.serving.served import Refused, Served

_MOST_ROWS = 16


class ChatMessage(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    content: str


Prompt = str | list[ChatMessage]


class PromptRequest(BaseModel):
    """One prompt or several."""

    model_config = ConfigDict(extra="forbid")

    prompt: Prompt | None = Field(
        default=None,
        description="What a user writes, or a chat whose last message is the user's.",
        examples=["2 doz eggs for Green Cafe, Tue, asap"],
    )
    prompts: list[Prompt] | None = Field(default=None, description="Several prompts, in place of `prompt`.")


class PromptAnswer(BaseModel):
    """What the model wrote for one prompt, equal to the answer of `showdown predict`."""

    answer: str
    tokens: int = Field(description="Tokens written, the one that ends the answer included.")
    finished: bool = Field(description="Whether it ended by itself; otherwise it was cut at the comparison's limit.")


class PromptResponse(BaseModel):
    """An answer for each prompt, in their order."""

    model: str
    answers: list[PromptAnswer]


class ServedWriter(Served):
    """A writer of answers."""

    most_rows = _MOST_ROWS

    def __init__(self, model: WriterModel, coverage: float | None) -> None:
        """Take the model.

        Raises:
            UserError: for a coverage, since written answers have no confidence.

        """
        if coverage is not None:
            raise UserError(f"--coverage: `{model.name}` writes its answers, which have no confidence; leave it out")
        self.model = model
        self.pads = model.writer.pads

    def about(self) -> dict[str, Any]:
        """Name the model and its task."""
        return {"name": self.model.name, "task": "generation"}

    def tokens(self, text: str) -> int:
        """Estimate by the prompt's bytes."""
        return estimated_tokens(text, None)

    def answer(self, texts: Sequence[str]) -> list[object]:
        """Write an answer to each prompt that leaves it room."""
        refusals = [self.model.writer.refusal(text) for text in texts]
        asked = [text for text, refusal in zip(texts, refusals, strict=True) if refusal is None]
        written = iter(self.model.write(asked))
        return [next(written) if why is None else Unanswered(why, fault=False) for why in refusals]

    def warm_up(self) -> None:
        """Answer a short prompt twice, since CUDA graphs are recorded at the second time."""
        for _ in range(2):
            self.model.write([prompt_of("a", system=self.model.data.system)])

    def prompts(self, asked: PromptRequest, limits: Limits) -> list[str]:
        """Return the prompts of a request, as `core/chat.py` keeps them.

        Raises:
            Refused: for a prompt that is empty, too long, or no chat.

        """
        given = single_or_several(asked.prompt, asked.prompts, ("prompt", "prompts"), limits)
        found = []
        for number, one in enumerate(given):
            place = "prompt" if asked.prompts is None else f"prompts[{number}]"
            contents = [one] if isinstance(one, str) else [message.content for message in one]
            refuse_long(sum(map(len, contents)), place, limits)
            try:
                found.append(
                    self.model.prompt(place, one if isinstance(one, str) else [dict(part) for part in one])
                )  # fmt: skip
            except UserError as error:
                raise Refused(422, str(error)) from error
        return found


def prompt_route(served: ServedWriter, desk: Desk) -> Callable[..., Awaitable[PromptResponse]]:
    """Return the route of `/predict`."""
    from fastapi import Request

    async def predict(asked: PromptRequest, request: Request) -> PromptResponse:
        """Answer prompts, behind the comparison's system message where a prompt has none of its own."""
        written: list[Any] = await desk.answers(request, served.prompts(asked, desk.limits), "prompts")
        return PromptResponse(model=served.model.name, answers=[_answer(one) for one in written])

    return predict


def _answer(one: WrittenAnswer) -> PromptAnswer:
    return PromptAnswer(answer=one.text, tokens=one.tokens, finished=one.finished)
