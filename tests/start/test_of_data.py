"""What `showdown init` reads off the data: columns, rare labels, tokens, and whether labels say anything."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import showdown.start.of_data
from showdown.core.errors import UserError
from showdown.core.spec import Comparison, ModelSpec
from showdown.models.described import DescribedModel
from showdown.start.draft import Draft
from showdown.start.of_data import with_columns, with_max_tokens, with_methods, with_rows
from tiny_pretrained import separable_rows, write_csv


def asked(source: Path | str, *methods: str, **more: Any) -> Draft:
    given = {"methods": {name: {} for name in methods or ("tfidf", "lora")}, "data": {"source": str(source)}}
    return Draft(comparison=Comparison.model_validate({**given, **more}))


def model(written: dict[str, Any] | None = None) -> Any:
    return SimpleNamespace(written=written or {"model_type": "bert"})


def test_guessed_columns_are_named_in_the_file(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "rows.csv", separable_rows(30))
    draft = with_columns(asked(source))
    assert (draft.comparison.data.text, draft.comparison.data.label) == ("text", "label")
    assert draft.why == {"data.text": "the columns: guessed, by their names or lengths"}
    assert with_columns(asked("resumes")).comparison.data.text is None, "a built-in set needs no columns"


def test_columns_of_prompts_and_answers(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("question,answer\nwhat,this\nwho,that\n", encoding="utf-8")
    data = with_columns(asked(source, "full", task="generation")).comparison.data
    assert (data.prompt, data.answer, data.messages) == ("question", "answer", None)


def test_rows_of_labels_that_cannot_be_split_are_left_out(tmp_path: Path) -> None:
    texts = [f"number {place} of {'abcdefgh'[place % 8] * 9}" for place in range(20)]
    labels = ["one", "two"] * 9 + ["rare", "rare"]
    source = tmp_path / "rows.csv"
    source.write_text("text,label\n" + "\n".join(map(",".join, zip(texts, labels, strict=True))), encoding="utf-8")
    draft, rows = with_rows(asked(source, data={"source": str(source), "near_duplicate_jaccard": 0.99}))
    assert draft.comparison.data.rare_labels == "drop"
    assert "1 label with fewer than 3 different texts (`rare`)" in draft.why["data.rare_labels"]
    assert rows.labels == ("one", "two")
    merged = asked(source, data={"source": str(source), "near_duplicate_jaccard": 0.99, "rare_labels": "merge"})
    with pytest.raises(UserError, match="rare"):
        with_rows(merged)


@pytest.mark.parametrize(
    ("labels", "says"), [(("0", "1"), False), (("-1.5", "2"), False), (("a", "b"), False), (("1", "sad"), True)]
)
def test_labels_that_say_nothing_need_no_zero_shot(labels: Sequence[str], says: bool) -> None:
    rows: Any = SimpleNamespace(labels=labels)
    draft = with_methods(asked("resumes", "tfidf", "zero-shot"), rows, model())
    assert ("zero-shot" in draft.comparison.methods) == says


def test_a_model_in_four_bits_is_for_qlora(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Any = SimpleNamespace(labels=("first", "second"))
    config = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    draft = with_methods(asked("resumes", "tfidf", "full", "lora", "qlora"), rows, model(config))
    assert list(draft.comparison.methods) == ["tfidf", "qlora"]
    assert "quantised already" in draft.left_out["full"]
    monkeypatch.setattr("showdown.methods.qlora.Qlora.unsupported_reason", lambda self: "no bitsandbytes; install it")
    with pytest.raises(UserError, match=r"no method can work here: full: .*; qlora: no bitsandbytes; install it"):
        with_methods(asked("resumes", "full", "qlora"), rows, model(config))


def limit_for(monkeypatch: pytest.MonkeyPatch, tokens: Sequence[int], room: int) -> Draft:
    monkeypatch.setattr(showdown.start.of_data, "_text_tokens", lambda texts, described: list(tokens))
    monkeypatch.setattr(showdown.start.of_data, "_room", lambda described, most: min(most, room))
    rows: Any = SimpleNamespace(texts=["x"] * len(tokens))
    return with_max_tokens(asked("resumes"), rows, model())


def test_tokens_are_as_many_as_nearly_all_texts_need(monkeypatch: pytest.MonkeyPatch) -> None:
    short = limit_for(monkeypatch, [20] * 90 + [40] * 10, 512)
    assert short.comparison.protocol.max_tokens == 48
    assert short.why["protocol.max_tokens"] == "every text is read whole: the longest has 40 tokens"
    tail = limit_for(monkeypatch, [60] * 97 + [1000] * 3, 512)
    assert tail.comparison.protocol.max_tokens == 64
    assert "97 % of the texts are read whole" in tail.why["protocol.max_tokens"]
    assert "32 % of all tokens" in tail.why["protocol.max_tokens"]
    assert limit_for(monkeypatch, [9000] * 10, 512).comparison.protocol.max_tokens == 512
    assert limit_for(monkeypatch, [9000] * 10, 200).comparison.protocol.max_tokens == 200, "the model takes no more"


def answers_for(monkeypatch: pytest.MonkeyPatch, tokens: Sequence[int], room: int) -> Draft:
    lengths = SimpleNamespace(of=lambda prompt, answer: SimpleNamespace(whole=tokens[int(prompt)]))
    monkeypatch.setattr(
        showdown.start.of_data, "chats_of", lambda comparison, described: SimpleNamespace(lengths=lengths)
    )
    monkeypatch.setattr(showdown.start.of_data, "_room", lambda described, most: min(most, room))
    rows: Any = SimpleNamespace(texts=[str(place) for place in range(len(tokens))], answers=["y"] * len(tokens))
    return with_max_tokens(asked("notes", "full", task="generation"), rows, model())


def test_no_answer_is_cut_and_prompts_that_cannot_fit_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answers_for(monkeypatch, [20, 700, 40], 8192)
    assert (whole.comparison.protocol.max_tokens, whole.comparison.data.overlong) == (768, "error")
    beyond = answers_for(monkeypatch, [20, 700, 40], 512)
    assert (beyond.comparison.protocol.max_tokens, beyond.comparison.data.overlong) == (512, "drop")
    assert beyond.why["data.overlong"].startswith("1 prompt with their answers have more tokens, up to 700")


def test_the_tokens_are_those_of_the_model(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    source = write_csv(tmp_path / "rows.csv", separable_rows(30))
    described = DescribedModel.of(ModelSpec(id=str(pretrained("bert"))), weights=False)
    draft, rows = with_rows(asked(source))
    draft = with_max_tokens(draft, rows, described)
    assert draft.comparison.protocol.max_tokens == 32
    assert "every text is read whole" in draft.why["protocol.max_tokens"]
