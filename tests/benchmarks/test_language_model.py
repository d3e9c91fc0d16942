"""The benchmark of language models: what all parties train on is the same. Nothing is measured here."""

import json
import math
import time
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.nn import functional

from benchmarks.gpu.language_losses import MICRO_ROWS, RIVALS, distances, name_of, trainings
from benchmarks.gpu.language_model import CASES, named, summary
from benchmarks.lib import instruction_lengths, varlen_attention
from benchmarks.lib.language_model import (
    EFFECTIVE_ROWS,
    IGNORED,
    WARMUP_STEPS,
    Work,
    language_model,
    learnable,
    work,
)
from benchmarks.lib.meter import Laps
from benchmarks.lib.processes import in_a_process
from benchmarks.lib.showdown_party import _examples, run_showdown
from showdown.core.spec import SharedProtocol
from showdown.tasks.generation.objective import NextToken
from showdown.training.batches import effective_batches


@pytest.fixture(scope="module")
def small_work() -> Work:
    return work(512, steps=3, laps=2)


def test_the_lengths_are_those_that_the_script_draws() -> None:
    assert json.loads(instruction_lengths.FILE.read_text()) == instruction_lengths.content()


def test_the_lengths_are_like_instruction_data() -> None:
    found = instruction_lengths.moments(instruction_lengths.instruction_lengths())
    assert 300 <= found["mean_tokens"] <= 600
    assert found["answers_share_of_tokens"] == pytest.approx(1 / 3, abs=0.02)
    assert found["median_tokens"] < found["mean_tokens"]


def test_only_the_answer_has_labels(small_work: Work) -> None:
    rows = small_work.rows
    for row, lengths in enumerate(instruction_lengths.instruction_lengths()[:20]):
        labels = rows.labels(row)
        assert labels.numel() == sum(lengths)
        assert (labels == IGNORED).sum() == lengths.prompt
        assert torch.equal(labels[lengths.prompt :], rows.ids[row][lengths.prompt :])


def test_every_lap_has_the_same_steps_and_the_warm_up_begins_with_the_most_tokens(small_work: Work) -> None:
    assert small_work.all_steps == small_work.warmup + small_work.steps + small_work.steps
    assert all(len(set(step)) == EFFECTIVE_ROWS for step in small_work.all_steps)

    def tokens(step: list[int]) -> int:
        return sum(small_work.rows.lengths[row] for row in step)

    epoch = effective_batches(len(small_work.rows.ids), EFFECTIVE_ROWS, seed=0, epoch=0)
    assert tokens(small_work.warmup[0]) == max(map(tokens, epoch))
    assert small_work.lap_tokens == sum(map(tokens, small_work.steps))
    with pytest.raises(ValueError, match="1 to 64 steps"):
        work(512, steps=65, laps=1)


def test_the_loop_of_the_product_comes_to_the_rows_in_the_order_of_the_work(small_work: Work) -> None:
    examples, rows = _examples(small_work), small_work.rows
    batches = effective_batches(len(examples.ids), EFFECTIVE_ROWS, seed=0, epoch=0)
    for batch, step in zip(batches, small_work.all_steps, strict=True):
        assert [examples.ids[place] for place in batch] == [rows.ids[row].tolist() for row in step]
        answers = sum(int((rows.labels(row) != IGNORED).sum()) for row in step)
        assert NextToken(SharedProtocol()).terms([examples.targets[place] for place in batch]) == answers


def attend_by_sequence(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, starts: torch.Tensor, *_: Any, **ways: Any
) -> torch.Tensor:
    """Stand in on a CPU for torch's kernel."""
    assert ways["window_size"] == (-1, 0)
    parts = []
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        q, k, v = (states[begin:end].transpose(0, 1)[None] for states in (query, key, value))
        attended = functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=ways["scale"], enable_gqa=True
        )
        parts.append(attended[0].transpose(0, 1))
    return torch.cat(parts)


def test_no_row_of_a_padding_free_batch_sees_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", attend_by_sequence)
    varlen_attention.register()
    model = language_model("tiny", four_bit=False, device="cpu", attention=varlen_attention.NAME).float().eval()
    rows = [torch.arange(10, 17), torch.arange(40, 43), torch.arange(70, 82)]
    positions = torch.cat([torch.arange(row.numel()) for row in rows])[None]
    batch = varlen_attention.add_starts({"input_ids": torch.cat(rows)[None], "position_ids": positions})
    assert batch["cu_seq_lens_q"].tolist() == [0, 7, 10, 22]
    assert batch["max_length_q"] == 12
    with torch.no_grad():
        packed = model(**batch).logits[0]
        model.set_attn_implementation("eager")
        apart = torch.cat([model(input_ids=row[None]).logits[0] for row in rows])
    torch.testing.assert_close(packed, apart, atol=1e-5, rtol=1e-4)


def test_laps_are_counted_after_the_warm_up() -> None:
    laps = Laps(device="cpu", warmup_steps=2, lap_steps=3, laps=2)
    laps.begin()
    ends = {}
    for step in range(1, 9):
        laps.step_done(step)
        ends[step] = len(laps.lap_seconds)
    assert ends == {1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 1, 7: 1, 8: 2}
    assert all(seconds > 0 for seconds in laps.lap_seconds)


@pytest.fixture
def short_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [instruction_lengths.Lengths(prompt=5, answer=3 + number % 4) for number in range(160)]
    monkeypatch.setattr("benchmarks.lib.language_model.instruction_lengths", lambda: pairs)


@pytest.mark.usefixtures("short_rows")
def test_all_laps_of_the_product_are_taken_and_all_losses_kept() -> None:
    short = work(512, steps=2, laps=2)
    found = run_showdown("lora", short, shape="tiny", device="cpu", settings={"memory": "speed"})
    assert len(found["lap_seconds"]) == 2
    assert len(found["losses"]) == len(short.all_steps) == WARMUP_STEPS + 4
    assert found["losses"][0] == pytest.approx(math.log(512), abs=0.5)


@pytest.mark.usefixtures("short_rows")
def test_rows_that_can_be_learned_come_once_and_each_word_has_few_followers() -> None:
    found = learnable(512, steps=9)
    rows = [row for step in found.all_steps for row in step]
    assert len(rows) == len(set(rows)) == 9 * EFFECTIVE_ROWS
    followers: dict[int, set[int]] = {}
    for row in rows:
        ids = found.rows.ids[row].tolist()
        assert len(ids) == found.rows.lengths[row]
        for word, follower in pairwise(ids):
            followers.setdefault(word, set()).add(follower)
    assert max(map(len, followers.values())) <= 4
    assert len(followers) > 50


def test_losses_are_compared_by_kind_and_beside_each_programs_own_noise() -> None:
    curves = {
        "showdown, lora, 16": [1.0, 2.0], "showdown, lora, 4": [1.0, 2.5], "trl, lora, 16": [1.5, 1.0],
        "trl, full-masters, 16": [3.0, 3.0], "showdown, full-stochastic, 16": [3.0, 2.0],
    }  # fmt: skip
    found = distances(curves)
    assert found["lora"] == {
        "showdown, lora, 16 to trl, lora, 16": {"mean": 0.75, "largest": 1.0, "signed_mean": 0.25},
        "showdown, lora, 16 to showdown, lora, 4": {"mean": 0.25, "largest": 0.5, "signed_mean": -0.25},
    }
    assert list(found["full-stochastic"]) == ["showdown, full-stochastic, 16 to trl, full-masters, 16"]
    names = [name_of(*one) for one in trainings()]
    assert {name_of("trl", rival, rows) for rival in RIVALS.values() for rows in MICRO_ROWS} <= set(names)


def test_cases_are_chosen_by_name() -> None:
    found = [case.name for case in named(CASES, "showdown-*lora-speed,trl-full-4")]
    assert found == ["showdown-lora-speed", "showdown-qlora-speed", "trl-full-4"]


def run(speed: float, memory: float) -> dict[str, float]:
    return {
        "tokens_per_second": speed, "peak_allocated_gb": memory, "peak_reserved_gb": memory, "device_gb": memory,
        "mean_loss": 10.0,
    }  # fmt: skip


def test_showdown_is_compared_with_the_rivals_of_its_method_alone() -> None:
    runs: dict[str, list[dict[str, Any]]] = {case.name: [{"error": "it did not fit"}] for case in CASES}
    runs["showdown-qlora-speed"] = [run(30.0, 8.0), run(10.0, 8.0), run(20.0, 8.0)]
    runs["unsloth-qlora-16"] = [run(10.0, 16.0)]
    runs["trl-lora-16"] = [run(5.0, 1.0)]
    lines = {line["case"]: line for line in summary(CASES, runs)}
    assert lines["showdown-qlora-speed"]["over"] == {"unsloth-qlora-16": {"speed": 2.0, "memory": 0.5}}
    assert lines["showdown-qlora-speed"]["tokens_per_second"] == {"median": 20.0, "low": 10.0, "high": 30.0}
    assert lines["trl-full-4"]["repeats"] == 0
    assert "over" not in lines["trl-lora-16"]


def answer(number: int) -> dict[str, Any]:
    return {"twice": 2 * number}


def fail() -> dict[str, Any]:
    raise ValueError("no such network")


def linger() -> dict[str, Any]:
    time.sleep(60)
    return {}


def test_a_case_gives_its_result_its_error_or_its_end() -> None:
    ways: dict[str, Any] = {"device": "cpu", "start": "fork"}
    found = in_a_process(answer, (21,), **ways)
    assert found["twice"] == 42
    assert found["place"]["device"]
    assert in_a_process(fail, (), **ways)["error"] == "ValueError: no such network"
    assert in_a_process(linger, (), **ways, seconds=0.2) == {"error": "ended after 0.2 s"}
