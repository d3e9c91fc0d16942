"""A saved model that writes, opened, and its answers to new prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from showdown.core.bounds import RequestedData
from showdown.core.chat import Message, written_prompt
from showdown.core.errors import UserError
from showdown.core.predictor import Writer
from showdown.data.chats.messages import ChatFault, read_chat, same_line_ends
from showdown.data.chats.read import refuse_answered, with_system
from showdown.data.read import unwritable
from showdown.data.tables import Wrong
from showdown.prediction.failure import reason_of

_BATCH_ROWS = 16
Prompt = str | Sequence[Mapping[str, str]]
"""What a user writes, or a whole chat whose last message is the user's: `{"role": ..., "content": ...}` each."""


@dataclass(frozen=True, kw_only=True)
class WrittenAnswer:
    """What a model wrote for one prompt."""

    text: str
    tokens: int
    """Tokens written, the one that ends the answer included; 0 for a method that generates nothing."""
    finished: bool
    """Whether it ended by itself. Otherwise it was cut at the comparison's `protocol.max_new_tokens`."""


@dataclass(frozen=True, kw_only=True)
class WriterModel:
    """A saved model that is ready to write."""

    name: str
    """Of its arm."""
    data: RequestedData
    """How the prompts of its comparison were read, with their system message."""
    writer: Writer
    fix: str
    """What to do when its folder is damaged."""
    hint: str | None = None
    """What a user must know before prompts without a system message are asked, or None."""

    def with_system(self, system: str) -> "WriterModel":
        """Return the same with another system message before prompts that have none; an empty one puts none there."""
        return replace(self, data=self.data.model_copy(update={"system": system or None}), hint=None)

    def predict(self, prompts: Sequence[Prompt], *, coverage: float | None = None) -> list[WrittenAnswer]:
        """Write an answer to each prompt, behind the comparison's system message where a prompt has none.

        Args:
            prompts: what a user writes, or chats whose last message is the user's.
            coverage: None. Written answers have no confidence that could be compared with a threshold.

        Raises:
            UserError: when a prompt is empty, no chat, or too long, when the model is damaged, or with a coverage.

        """
        self.refuse_options(coverage=coverage)
        return self.write([self._prompt(number, len(prompts), one) for number, one in enumerate(prompts, start=1)])

    def write(self, prompts: Sequence[str], called: Callable[[int], str] | None = None) -> list[WrittenAnswer]:
        """Write an answer to each prompt.

        Args:
            prompts: each as `core/chat.py` keeps it.
            called: gives the name of a prompt in messages, by its number from 0; by default `prompt 2 of 3`.

        Raises:
            UserError: when a prompt is too long, or the model is damaged.

        """
        if not prompts:
            return []
        self.check(prompts, called or (lambda place: f"prompt {place + 1} of {len(prompts)}"))
        try:
            written = self.writer.write(prompts, batch_rows=_BATCH_ROWS)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"the saved model of `{self.name}` cannot answer ({reason_of(error)}); {self.fix}"
            ) from error
        return [WrittenAnswer(text=one.text, tokens=one.tokens, finished=one.finished) for one in written]

    def check(self, prompts: Sequence[str], called: Callable[[int], str]) -> None:
        """Refuse prompts that cannot be answered, before any is.

        Args:
            prompts: each as `core/chat.py` keeps it.
            called: gives the name of a prompt in messages, by its number from 0.

        Raises:
            UserError: for one that is too long, or a model that is damaged.

        """
        for place, prompt in enumerate(prompts):
            try:
                refusal = self.writer.refusal(prompt)
            except UserError:
                raise
            except Exception as error:
                raise UserError(
                    f"the saved model of `{self.name}` cannot answer ({reason_of(error)}); {self.fix}"
                ) from error
            if refusal:
                raise UserError(f"{called(place)} {refusal}")

    def refuse_options(self, *, coverage: float | None = None, threshold: float | None = None, top: int = 1) -> None:
        """Refuse options that are for labels.

        Raises:
            UserError: for any.

        """
        given = {"--coverage": coverage is not None, "--threshold": threshold is not None, "--top": top != 1}
        for option in (name for name, is_there in given.items() if is_there):
            raise UserError(
                f"`{self.name}` writes its answers: they have no confidence to compare with {option}; leave it out"
            )

    def _prompt(self, number: int, count: int, given: Prompt) -> str:
        return self.prompt(f"prompt {number} of {count}", given)

    def prompt(self, place: str, given: Prompt) -> str:
        """Return a prompt as `core/chat.py` keeps it, behind the comparison's system message where it has none.

        Args:
            place: what messages call it.
            given: what a user writes, or a chat whose last message is the user's.

        Raises:
            UserError: when it is empty, or no chat.

        """
        if isinstance(given, str):
            fault = unwritable(given)
            if fault:
                raise UserError(f"{place} contains {fault}; remove it")
            if not given.strip():
                raise UserError(f"{place} is empty; write one")
            messages = [Message(role="user", content=same_line_ends(given))]
        else:
            try:
                messages = list(read_chat(Wrong(what="a list", value=[dict(one) for one in given])).messages)
                refuse_answered(messages)
            except ChatFault as fault:
                raise UserError(f"{place} {fault}") from fault
        return written_prompt(with_system(messages, self.data.system))
