"""What a report says of prompts and answers: counts and lengths, no text."""

from collections import Counter
from statistics import median

from showdown.core.chat import read_prompt
from showdown.core.strict import Strict
from showdown.data.chats.values import json_object
from showdown.data.rows import Rows


class WrittenFacts(Strict):
    """The section `written` of the data in `results.json`. Words are what stands between white space."""

    rows: int
    median_prompt_words: float
    median_answer_words: float
    longest_answer_words: int
    different_answers: int
    """Number of different answers, exactly compared."""
    most_common_answer_share: float
    """Share of the rows that have the most common answer, 0 to 1: what always writing it scores."""
    json_objects: bool
    """Whether every answer is a JSON object."""
    rows_of_several_turns: int
    """Rows whose prompt has an earlier answer."""
    rows_with_system: int
    """Rows whose prompt has a system message."""


def written_facts(rows: Rows) -> WrittenFacts | None:
    """Return the facts of rows with answers; None for labelled rows."""
    if not rows.answers:
        return None
    chats = [read_prompt(prompt) for prompt in rows.texts]
    answer_words = [len(answer.split()) for answer in rows.answers]
    counted = Counter(rows.answers)
    return WrittenFacts(
        rows=len(rows.answers),
        median_prompt_words=float(median(sum(len(one.content.split()) for one in chat) for chat in chats)),
        median_answer_words=float(median(answer_words)),
        longest_answer_words=max(answer_words),
        different_answers=len(counted),
        most_common_answer_share=max(counted.values()) / len(rows.answers),
        json_objects=all(json_object(answer) is not None for answer in rows.answers),
        rows_of_several_turns=sum(any(one.role == "assistant" for one in chat) for chat in chats),
        rows_with_system=sum(any(one.role == "system" for one in chat) for chat in chats),
    )
