"""What a comparison of written answers is given before its first run: lengths, a limit of new tokens, a score."""

import json
from pathlib import Path
from typing import Any

import pytest

import showdown.runner.preparation
from pretrained import Pretrained
from showdown.core.chat import read_prompt
from showdown.core.errors import UserError
from showdown.core.record import Results
from showdown.core.spec import Comparison
from showdown.data.inspection import DeepAudit
from showdown.data.prepare import load_side
from showdown.models.source import pin
from showdown.runner.foreseen import Foreseen
from showdown.runner.plan import plan
from showdown.runner.preparation import preparation
from showdown.runner.prepared import Ready
from showdown.runner.store import Store

WORDS = ["oven", "dough", "flour", "bread", "crust", "yeast"]


def rows(count: int = 30, *, long: int | None = None, long_answer: int | None = None) -> list[dict[str, Any]]:
    """Chats of about 15 tokens in the tiny tokenizer; one of them with a long prompt or answer."""
    found = []
    for row in range(1, count + 1):
        prompt = f"{WORDS[row % 6]} {WORDS[row // 6 % 6]} {row}" + (" bread" * 40 if row == long else "")
        answer = f"{row}" + (" crust" * 60 if row == long_answer else "")
        found.append({"prompt": prompt, "answer": answer})
    return found


def comparison(folder: Path, model: Path, written: list[dict[str, Any]], **keys: Any) -> Comparison:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    asked: dict[str, Any] = {
        "task": "generation",
        "model": {"id": str(model), "chat_template": "plain"},
        "data": {"source": str(folder / "rows.jsonl"), "near_duplicate_jaccard": 0.99},
        "methods": {"full": {}},
        "protocol": {"max_tokens": 40, "split": {"kind": "single"}},
        "seeds": [0],
    }
    for key, value in keys.items():
        asked[key] = {**asked[key], **value} if isinstance(asked.get(key), dict) else value
    return Comparison.model_validate(asked)


@pytest.fixture(autouse=True)
def without_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forecast takes seconds, and has tests of its own."""
    monkeypatch.setattr(showdown.runner.preparation, "_foreseen", lambda *_: Foreseen())


def prepared(folder: Path, asked: Comparison) -> tuple[Ready, DeepAudit, Path]:
    store = Store(folder / "out")
    store.data_folder.mkdir(parents=True, exist_ok=True)
    steps = preparation(asked, pin(asked.model), store)
    ready, _, inspection = next(steps), next(steps), next(steps)
    assert isinstance(ready, Ready)
    assert isinstance(inspection, DeepAudit)
    return ready, inspection, store.processed_folder


def test_a_comparison_of_answers_is_prepared(tmp_path: Path, pretrained: Pretrained) -> None:
    asked = comparison(tmp_path, pretrained("llama"), rows())
    ready, inspection, folder = prepared(tmp_path, asked)
    assert (ready.labels, ready.partitions) == ([], 1)
    assert ready.written is not None
    assert ready.written.rows == 30
    assert load_side(folder, "test").answers
    assert inspection.lengths is not None
    assert 0 < inspection.lengths.longest_tokens <= 40
    assert inspection.look_first == []
    Results.model_validate(
        {
            "name": "x",
            "comparison": ready.comparison.model_dump(mode="json"),
            "data": {"labels": [], "written": ready.written.model_dump(mode="json")},
            "runs": [],
        }
    )


def test_new_tokens_follow_from_the_longest_answer_that_is_trained_on(tmp_path: Path, pretrained: Pretrained) -> None:
    """An answer of a letter for each token and one that ends it: 21 digits are 22 tokens, times 1.5 plus 8 is 41."""
    written = rows()
    written[0]["answer"] = "3" * 21
    asked = comparison(tmp_path, pretrained("llama"), written)
    ready, _, folder = prepared(tmp_path, asked)
    seen = {row for side in ("train", "validation") for row in load_side(folder, side).row_ids}
    assert 1 in seen
    assert ready.comparison.protocol.max_new_tokens == 48
    assert "max_new_tokens: 48, 1.5 times the longest answer (22 tokens) plus 8" in ready.choices
    assert {run.protocol.max_new_tokens for run in plan(ready, pin(asked.model))} == {48}


def test_a_longer_test_answer_changes_nothing(tmp_path: Path, pretrained: Pretrained) -> None:
    asked = comparison(tmp_path, pretrained("llama"), rows())
    first, _, folder = prepared(tmp_path, asked)
    tested = load_side(folder, "test").row_ids[0]
    written = rows()
    written[tested - 1]["answer"] = "3" * 20
    other, _, _ = prepared(tmp_path, comparison(tmp_path, pretrained("llama"), written))
    assert other.fingerprint != first.fingerprint
    assert other.comparison.protocol.max_new_tokens == first.comparison.protocol.max_new_tokens


def test_new_tokens_of_a_row_of_the_table(tmp_path: Path, pretrained: Pretrained) -> None:
    methods = {
        "full": {"protocol": {"max_new_tokens": "auto"}},
        "lora": {"protocol": {"max_new_tokens": 5}},
        "same": {"method": "lora"},
    }
    asked = comparison(tmp_path, pretrained("llama"), rows(), methods=methods, protocol={"max_new_tokens": 7})
    ready, _, _ = prepared(tmp_path, asked)
    found = {run.name: run.protocol.max_new_tokens for run in plan(ready, pin(asked.model))}
    assert found == {"full": 16, "lora": 5, "same": 7}


def test_new_tokens_that_the_model_has_no_room_for(tmp_path: Path, pretrained: Pretrained) -> None:
    """The tiny model takes 80 tokens."""
    written = rows()
    written[3]["prompt"] = "3" * 60
    asked = comparison(tmp_path, pretrained("llama"), written, protocol={"max_tokens": 80, "max_new_tokens": 40})
    with pytest.raises(
        UserError, match=r"`protocol\.max_new_tokens: 40` and the prompt of row 4 \(62 tokens\) are more"
    ):
        prepared(tmp_path, asked)
    auto = comparison(tmp_path, pretrained("llama"), written, protocol={"max_tokens": 80})
    assert prepared(tmp_path, auto)[0].comparison.protocol.max_new_tokens == 16
    written[4]["answer"] = "3" * 30
    lowered, _, _ = prepared(tmp_path, comparison(tmp_path, pretrained("llama"), written, protocol={"max_tokens": 80}))
    assert lowered.comparison.protocol.max_new_tokens == 18
    assert any("max_new_tokens: 18, lowered to what the model can take" in line for line in lowered.choices)


def test_overlong_rows_stop_the_run(tmp_path: Path, pretrained: Pretrained) -> None:
    asked = comparison(tmp_path, pretrained("llama"), rows(long=7))
    message = (
        r"rows\.jsonl: 1 row has more than 40 tokens, prompt and answer together \(row 7; the longest has \d+\); raise "
        r"`protocol\.max_tokens`, or set `data\.overlong` to `drop` or `cut`"
    )
    with pytest.raises(UserError, match=message):
        prepared(tmp_path, asked)


def test_overlong_rows_are_left_out(tmp_path: Path, pretrained: Pretrained) -> None:
    asked = comparison(tmp_path, pretrained("llama"), rows(long=7), data={"overlong": "drop"})
    ready, _, folder = prepared(tmp_path, asked)
    held = {row for side in ("train", "validation", "test") for row in load_side(folder, side).row_ids}
    assert held == set(range(1, 31)) - {7}
    assert "1 row left out: more than 40 tokens, prompt and answer together (row 7)" in ready.notices
    assert ready.audit.rows_used == 29
    nothing = comparison(tmp_path, pretrained("llama"), rows(), data={"overlong": "drop"}, protocol={"max_tokens": 8})
    with pytest.raises(UserError, match="every row has more than 8 tokens"):
        prepared(tmp_path, nothing)


def test_overlong_prompts_are_cut(tmp_path: Path, pretrained: Pretrained) -> None:
    written = rows(long=7)
    asked = comparison(tmp_path, pretrained("llama"), written, data={"overlong": "cut"})
    ready, inspection, folder = prepared(tmp_path, asked)
    texts = {
        row: (read_prompt(text)[0].content, answer)
        for name in ("train", "validation", "test")
        for side in [load_side(folder, name)]
        for row, text, answer in zip(side.row_ids, side.texts, side.answers, strict=True)
    }
    assert {row for row in texts if texts[row][0] != written[row - 1]["prompt"]} == {7}
    assert written[6]["prompt"].startswith(texts[7][0])
    assert all(answer == written[row - 1]["answer"] for row, (_, answer) in texts.items())
    assert inspection.lengths is not None
    assert 38 <= inspection.lengths.longest_tokens <= 40
    assert any(notice.startswith("1 row cut to 40 tokens") and "(row 7)" in notice for notice in ready.notices)


@pytest.mark.parametrize("overlong", ["error", "drop", "cut"])
def test_an_overlong_answer_is_always_an_error(tmp_path: Path, pretrained: Pretrained, overlong: str) -> None:
    asked = comparison(tmp_path, pretrained("llama"), rows(long_answer=5), data={"overlong": overlong})
    with pytest.raises(
        UserError, match=r"the answer of row 5 has \d+ tokens by itself, more than 40, and no answer is"
    ):
        prepared(tmp_path, asked)


def test_the_lowest_limit_of_any_row_counts(tmp_path: Path, pretrained: Pretrained) -> None:
    methods = {"full": {}, "lora": {"protocol": {"max_tokens": 9}}}
    asked = comparison(tmp_path, pretrained("llama"), rows(), methods=methods)
    with pytest.raises(UserError, match="more than 9 tokens, prompt and answer together"):
        prepared(tmp_path, asked)


def test_a_limit_of_the_model_is_named_as_its_own(tmp_path: Path, pretrained: Pretrained) -> None:
    written = rows()
    written[2]["prompt"] = "3" * 100
    asked = comparison(tmp_path, pretrained("llama"), written, protocol={"max_tokens": 500})
    with pytest.raises(UserError, match=r"more than 80 tokens.*the model can take no more: set `data.overlong`"):
        prepared(tmp_path, asked)


def test_a_model_without_a_template_and_one_that_lays_out_nothing(tmp_path: Path, pretrained: Pretrained) -> None:
    asked = comparison(tmp_path, pretrained("llama"), rows())
    without = asked.model_copy(update={"model": asked.model.model_copy(update={"chat_template": None})})
    with pytest.raises(UserError, match=r"the model has no chat template; set `model\.chat_template`"):
        prepared(tmp_path, without)
    for template, why in (("{{ messages[9]['content'] }}", "cannot lay out"), ("{% for %}", "cannot lay out")):
        broken = asked.model_copy(update={"model": asked.model.model_copy(update={"chat_template": template})})
        with pytest.raises(UserError, match=why):
            prepared(tmp_path, broken)


def test_a_score_of_the_users_own_is_loaded_and_identifies_its_runs(tmp_path: Path, pretrained: Pretrained) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def score(prompt, wanted, written):\n    return wanted == written\n")
    asked = comparison(tmp_path, pretrained("llama"), rows(), protocol={"scorer": f"{path}:score"})
    model = pin(asked.model)
    (first,) = plan(prepared(tmp_path, asked)[0], model)
    assert first.scorer_digest
    path.write_text("def score(prompt, wanted, written):\n    return wanted in written\n")
    (second,) = plan(prepared(tmp_path, asked)[0], model)
    assert second.run_id != first.run_id
    path.write_text("def score(prompt):\n    return 1\n")
    with pytest.raises(UserError, match=r"scorer .*its arguments are \(prompt\)"):
        prepared(tmp_path, asked)


def test_virtual_tokens_leave_fewer_positions_to_every_chat(tmp_path: Path, pretrained: Pretrained) -> None:
    """All rows of the table read the same chats, those of an arm with virtual tokens too."""
    model = pretrained("llama")
    written = rows(long=3)
    tight = {"methods": {"full": {}, "prompt": {"tokens": 40}}, "protocol": {"max_tokens": 60}}
    with pytest.raises(UserError, match="the model can take no more"):
        prepared(tmp_path, comparison(tmp_path, model, written, **tight))
    tight["methods"] = {"full": {}, "prompt": {"tokens": 5}}
    prepared(tmp_path, comparison(tmp_path, model, written, **tight))
