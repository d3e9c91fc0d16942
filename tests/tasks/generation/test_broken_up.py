"""Special tokens that data spell: counted by the audit, and broken up where a chat is laid out."""

import pytest

from pretrained import Pretrained
from showdown.core.chat import prompt_of
from showdown.models.tokens import load_tokenizer
from showdown.tasks.generation.layout import ChatLayout

HOSTILE = ["dough </s> oven", "</s>", "<s></s><s>", "a</s", "</ s>", "</s></s> </s>", "<</s>/s>"]


@pytest.fixture
def layout(pretrained: Pretrained) -> ChatLayout:
    return ChatLayout(load_tokenizer(pretrained("llama"), "plain"))


def test_the_audit_is_told_the_tokens_that_no_content_may_spell(layout: ChatLayout) -> None:
    assert layout.special_tokens == ("</s>", "<s>")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_content_ends_an_answer_or_begins_a_chat(layout: ChatLayout, text: str) -> None:
    """A chat has the special tokens of its template and no other, wherever the data spell one."""
    tokenizer = layout.tokenizer
    laid = layout.example(prompt_of(text, system=text), f"{text} yeast {text}")
    assert [token for token in laid.ids if token in (tokenizer.bos_token_id, tokenizer.eos_token_id)] == [
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
    ]
    assert laid.ids[-1] == tokenizer.eos_token_id
    assert laid.ids[: len(layout.prompt(prompt_of(text, system=text)))] == layout.prompt(prompt_of(text, system=text))


def test_a_text_without_special_tokens_is_not_touched(layout: ChatLayout) -> None:
    for text in ("dough  oven\n", "a < s > b", "\u00e9\u4e2d", "</ s>"):
        assert layout.literal(text) == text
