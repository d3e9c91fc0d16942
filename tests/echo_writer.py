"""A model that writes without a network, for tests of what stands around one."""

from collections.abc import Sequence

from showdown.core.chat import shown_prompt
from showdown.core.predictor import Writer, Written

POSITIONS = 40


class Echo(Writer):
    """Writes what the user wrote in capitals, cut after twenty letters, and refuses long prompts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        self.asked += prompts
        said = [shown_prompt(prompt).upper() for prompt in prompts]
        return [Written(text=text[:20], tokens=min(20, len(text)), finished=len(text) <= 20) for text in said]

    def refusal(self, prompt: str) -> str | None:
        letters = len(shown_prompt(prompt))
        return f"has {letters} letters, more than {POSITIONS}; shorten it" if letters > POSITIONS else None
