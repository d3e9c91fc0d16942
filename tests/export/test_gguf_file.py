"""A language model in a GGUF file is read again as it was, tokens and all."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType
from transformers import AutoModelForCausalLM, AutoTokenizer

from showdown.core.errors import UserError
from showdown.exporting.gguf_file import split_name, write_gguf
from showdown.models.tokens import load_tokenizer
from showdown.testing.tiny import make_pretrained


def test_logits_and_tokens_come_back(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    make_pretrained("llama", tmp_path / "base", chat=True)
    module = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    tokenizer = load_tokenizer(tmp_path / "base")
    write_gguf(tmp_path / "m.gguf", module, tokenizer, "tiny", GGMLQuantizationType.F16)
    read = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32).eval()
    again = AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    assert again.chat_template == tokenizer.chat_template
    tokenizer.split_special_tokens = False  # as others have it
    chat = [{"role": "user", "content": "oven dough 12 flour"}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert again.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"] == ids
    assert (again.eos_token, again.pad_token) == (tokenizer.eos_token, tokenizer.pad_token)
    with torch.no_grad():
        before, after = (one(input_ids=torch.tensor([ids])).logits for one in (module, read))
    assert 0 < float((before - after).abs().max()) < 0.02  # half precision, and the right rows of query and key
    assert float(before.abs().max()) > 1


def test_a_tokenizer_without_a_name_is_refused(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(pretrained("bert"))
    assert split_name(tokenizer) is None
    module = AutoModelForCausalLM.from_pretrained(pretrained("llama"))
    with pytest.raises(UserError, match="splits texts in a way"):
        write_gguf(tmp_path / "m.gguf", module, tokenizer, "tiny", GGMLQuantizationType.F16)
