"""How an instruction and examples are put into a chat.

An example is an earlier turn of the chat: what the user wrote in it, and the answer that was wanted. The prompt's own
system message stands first, so that prompts with the same examples begin alike.
"""

from collections.abc import Sequence

from showdown.core.chat import Message, read_prompt
from showdown.core.strict import Strict

Pair = tuple[str, str]
"""A prompt, as `core/chat.py` keeps it, and its wanted answer."""


class Instruction(Strict):
    """An instruction that is tried in a prompt."""

    text: str
    replaces: bool
    """Whether it takes the place of the prompt's own system message, or stands behind it as a paragraph."""


def instructed(messages: Sequence[Message], instruction: Instruction | None) -> tuple[Message, ...]:
    """Return a chat with an instruction in its system message, which is made where there is none."""
    if instruction is None:
        return tuple(messages)
    own = [one.content for one in messages if one.role == "system" and not instruction.replaces]
    spoken = [one for one in messages if one.role != "system"]
    return (Message(role="system", content="\n\n".join([*own, instruction.text])), *spoken)


def with_examples(messages: Sequence[Message], examples: Sequence[Pair]) -> tuple[Message, ...]:
    """Return a chat with examples between its system messages and its first turn.

    An example's system message is left out where the chat has the same one. Another one stands in front of what the
    example's user wrote.

    Args:
        messages: the chat.
        examples: in the order in which they are shown.

    """
    system = [one for one in messages if one.role == "system"]
    said = {one.content for one in system}
    turns: list[Message] = []
    for prompt, answer in examples:
        shown = read_prompt(prompt)
        other = [one.content for one in shown if one.role == "system" and one.content not in said]
        first, *rest = [one for one in shown if one.role != "system"] or [Message(role="user", content="")]
        opening = Message(role=first.role, content="\n\n".join([*other, first.content]))
        turns += [opening, *rest, Message(role="assistant", content=answer)]
    return (*system, *turns, *(one for one in messages if one.role != "system"))
