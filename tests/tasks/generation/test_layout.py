"""How chats become token ids."""

import pytest

from pretrained import Pretrained
from showdown.core.chat import prompt_of
from showdown.core.errors import UserError
from showdown.models.tokens import load_tokenizer
from showdown.tasks.generation.layout import ChatLayout


def test_a_template_without_the_answer_is_refused(pretrained: Pretrained) -> None:
    tokenizer = load_tokenizer(pretrained("llama"), "{{ messages[0]['content'] }}")
    with pytest.raises(UserError, match="leaves out the answer"):
        ChatLayout(tokenizer).example(prompt_of("a"), "b")


def test_the_tokens_of_an_answer_count_and_those_of_its_prompt_do_not(pretrained: Pretrained) -> None:
    layout = ChatLayout(load_tokenizer(pretrained("llama"), "plain"))
    prompt = prompt_of("one two", system="three")
    laid = layout.example(prompt, "four five")
    start = len(layout.prompt(prompt))
    assert laid.ids[:start] == layout.prompt(prompt)
    assert laid.counted == [place >= start for place in range(len(laid.ids))]
    assert laid.ids[-1] in layout.stop_ids
    assert layout.example(prompt, "four five", "all").counted == [True] * len(laid.ids)
