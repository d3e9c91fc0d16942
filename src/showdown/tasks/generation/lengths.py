"""How many tokens a prompt with its answer has, and where a prompt is cut that has too many."""

from dataclasses import dataclass

from showdown.core.chat import Message, read_prompt, written_prompt
from showdown.tasks.generation.layout import ChatLayout


@dataclass(frozen=True, kw_only=True)
class ChatTokens:
    """Tokens of one prompt with its answer."""

    whole: int
    """Of both, with what the chat template adds."""
    answer: int
    """Of the answer, with the token that ends it."""


class ChatLengths:
    """Counts the tokens of chats as one model lays them out. Each pair of prompt and answer is laid out once."""

    def __init__(self, layout: ChatLayout) -> None:
        self._layout = layout
        self._known: dict[tuple[str, str], ChatTokens] = {}

    def of(self, prompt: str, answer: str) -> ChatTokens:
        """Return the tokens of a prompt, as `core/chat.py` keeps it, with its answer.

        Raises:
            UserError: where the model's chat template cannot lay it out.

        """
        found = self._known.get((prompt, answer))
        if found is None:
            laid = self._layout.example(prompt, answer)
            found = ChatTokens(whole=len(laid.ids), answer=_trailing(laid.counted))
            self._known[prompt, answer] = found
        return found

    def cut(self, prompt: str, answer: str, limit: int) -> str | None:
        """Return the prompt without the end of its longest message, so that both fit; None where that is not enough.

        Where one letter of that message is still too much, the next longest is cut too. No message is cut to nothing,
        and no answer at all.

        Args:
            prompt: as `core/chat.py` keeps it.
            answer: the wanted answer.
            limit: the most tokens of both.

        """
        messages = list(read_prompt(prompt))
        for place in sorted(range(len(messages)), key=lambda place: -len(messages[place].content)):
            whole = messages[place]
            low, high = 1, len(whole.content)  # `high` letters are too many
            messages[place] = _first(whole, low)
            if not self._fits(messages, answer, limit):
                continue
            while high - low > 1:
                middle = (low + high) // 2
                messages[place] = _first(whole, middle)
                low, high = (middle, high) if self._fits(messages, answer, limit) else (low, middle)
            messages[place] = _first(whole, low)
            return written_prompt(messages)
        return None

    def _fits(self, messages: list[Message], answer: str, limit: int) -> bool:
        return len(self._layout.example(written_prompt(messages), answer).ids) <= limit


def _first(message: Message, letters: int) -> Message:
    return Message(role=message.role, content=message.content[:letters])


def _trailing(counted: list[bool]) -> int:
    """Return how many tokens at the end count: those of the last answer."""
    return next((number for number, counts in enumerate(reversed(counted)) if not counts), len(counted))
