"""Tokens of prompts with answers, and where a prompt is cut."""

import pytest

from pretrained import Pretrained
from showdown.core.chat import Message, prompt_of, read_prompt, written_prompt
from showdown.models.tokens import load_tokenizer
from showdown.tasks.generation.layout import ChatLayout
from showdown.tasks.generation.lengths import ChatLengths

TURNS = written_prompt(
    [
        Message(role="system", content="daily"),
        Message(role="user", content="dough oven flour bread crust yeast"),
        Message(role="assistant", content="crust"),
        Message(role="user", content="ward patient"),
    ]
)


@pytest.fixture
def layout(pretrained: Pretrained) -> ChatLayout:
    return ChatLayout(load_tokenizer(pretrained("llama"), "plain"))


@pytest.mark.parametrize("prompt", [prompt_of("dough"), TURNS])
@pytest.mark.parametrize("answer", ["oven", "oven flour\nbread"])
def test_tokens_are_those_of_the_layout(layout: ChatLayout, prompt: str, answer: str) -> None:
    """The answer's tokens are those behind the prompt, its end included."""
    found = ChatLengths(layout).of(prompt, answer)
    whole = layout.example(prompt, answer).ids
    assert (found.whole, found.answer) == (len(whole), len(whole) - len(layout.prompt(prompt)))


@pytest.mark.parametrize(
    ("limit", "places"), [(30, [1]), (22, [1]), (20, [1, 3]), (17, [1, 3]), (15, [0, 1, 3]), (13, [0, 1, 2, 3])]
)
def test_the_longest_message_is_cut_first_and_the_next_where_it_has_no_more_to_lose(
    layout: ChatLayout, limit: int, places: list[int]
) -> None:
    lengths = ChatLengths(layout)
    cut = lengths.cut(TURNS, "oven", limit)
    assert cut is not None
    before, after = read_prompt(TURNS), read_prompt(cut)
    assert [place for place in range(4) if before[place] != after[place]] == places
    assert limit - 2 < lengths.of(cut, "oven").whole <= limit
    for was, now in zip(before, after, strict=True):
        assert now.role == was.role
        assert now.content
        assert was.content.startswith(now.content)


def test_no_answer_is_ever_cut(layout: ChatLayout) -> None:
    assert ChatLengths(layout).cut(TURNS, "oven flour bread crust yeast " * 8, 20) is None
