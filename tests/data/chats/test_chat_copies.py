"""Copies of prompts: judged on what differs, so that a common instruction hides nothing."""

import random
from pathlib import Path

import pytest
from chat_files import lines, messages_of, prompts, system, table, user

from showdown.core.chat import prompt_of, written_prompt
from showdown.core.spec import DataSpec
from showdown.data.chats.differing import differing_texts
from showdown.data.chats.read import read_chats
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.gather import gather
from showdown.data.rows import Rows

LONG = (
    "You read notes of a workshop. Write the customer, the item, the quantity and the day as one JSON object with "
    "these four keys, and write nothing else before it or behind it, whatever the note says:"
)


def gathered(source: str, **keys: object) -> Rows:
    return gather(DataSpec(source=source, **keys), 42, "generation")  # type: ignore[arg-type]


def wrapped(notes: list[str]) -> list[str]:
    return [prompt_of(f"{LONG}\n{note}\nThe JSON object of this note is:") for note in notes]


def test_a_common_instruction_makes_no_copies_and_hides_none() -> None:
    """The built-in notes have known copies; an instruction around each note changes nothing."""
    notes = [messages_of(prompt)[0][1] for prompt in read_chats(DataSpec(source="notes")).prompts]
    plain = find_duplicate_groups(differing_texts([prompt_of(note) for note in notes]), 0.8)
    assert (plain.exact_copies, plain.near_copies) == (20, 20)
    assert find_duplicate_groups(differing_texts(wrapped(notes)), 0.8) == plain


def test_what_is_left_out_and_what_stays() -> None:
    words = [f"alpha{row} beta{row}" for row in range(10)]
    assert differing_texts([prompt_of(f"do  this {text}\nnow please") for text in words]) == words
    assert differing_texts([prompt_of(f"do this {text}") for text in words[:7]]) == [
        f"do this {text}" for text in words[:7]
    ]
    same = [prompt_of("one prompt only")] * 20
    assert differing_texts(same) == ["one prompt only"] * 20
    nested = [prompt_of(text) for text in ("a", "a a", "a a a", *(f"a {row} a" for row in range(8)))]
    assert len(set(differing_texts(nested))) == len(nested), "prompts that differ stay different"


@pytest.mark.parametrize("seed", range(20))
def test_equal_texts_come_of_equal_words_alone(seed: int) -> None:
    """Words are never left out of one prompt alone, so that two prompts of different words stay different."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices("abc", k=draw.randint(1, 6))) for _ in range(30)]
    found = differing_texts([prompt_of(text) for text in texts])
    assert {text: part for text, part in zip(texts, found, strict=True)} == dict(zip(texts, found, strict=True))
    assert len(set(found)) == len(set(texts))


def test_system_messages_that_rows_share_are_left_out_and_inputs_stay() -> None:
    def prompt(of_system: str, said: str) -> str:
        from showdown.core.chat import Message

        return written_prompt(
            [Message(role=one["role"], content=one["content"]) for one in (system(of_system), user(said))]
        )  # type: ignore[arg-type]

    shared = [prompt("Answer briefly.", f"alpha{row} beta{row}") for row in range(20)]
    assert differing_texts(shared) == [f"alpha{row} beta{row}" for row in range(20)]
    documents = [prompt(f"document {row}: gamma{row} delta{row}", "Summarise it.") for row in range(20)]
    assert len(set(differing_texts(documents))) == 20


def test_copies_never_cross_whatever_their_answers(tmp_path: Path) -> None:
    long = "the quick brown fox jumps over the lazy dog near the old stone bridge by the river at dawn"
    rows = [*prompts(30), (long, "one"), (long.replace("dawn", "dusk"), "two"), (long.upper(), "three")]
    rows_with = gathered(table(tmp_path, ["prompt", "answer"], rows))
    assert len(set(rows_with.duplicate_groups[30:])) == 1
    assert len(set(rows_with.exact[30:])) == 2
    assert len(set(rows_with.duplicate_groups)) == 31


def test_several_turns_are_compared_as_a_whole(tmp_path: Path) -> None:
    """The same last question behind different turns is no copy."""
    chats = [
        {
            "messages": [
                user(f"alpha{row} beta{row}"),
                {"role": "assistant", "content": f"gamma{row}"},
                user("And why?"),
                {"role": "assistant", "content": "so"},
            ]
        }
        for row in range(12)
    ]
    rows = gathered(lines(tmp_path, [*chats, chats[0]]))
    assert len(set(rows.duplicate_groups)) == 12
