"""What packed language models write, token by token as transformers' `generate` does."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_networks import DECODERS, causal, rows

from showdown.core.language import Continuation, LanguagePath
from showdown.engine.decoder import cache, dense, step, write
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.forward import choose_forward
from showdown.engine.language.batches import in_batches
from showdown.engine.language.padded import PaddedLanguageModel
from showdown.engine.structure import language_model

LENGTHS = (9, 3, 12, 7, 7)
NOTHING: frozenset[int] = frozenset()


def prompts(beginning: int = 0) -> list[list[int]]:
    first = rows(beginning, seed=5)[0]
    return [torch.cat([first, one]).tolist() for one in rows(*LENGTHS)]


def lively(name: str) -> Any:
    """A network that goes on with other tokens than its last one, as a tied output layer of random weights would."""
    return causal(name, tie_word_embeddings=False, initializer_range=0.3)


def adapted(model: Any, **more: Any) -> Any:
    torch.manual_seed(3)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["q_proj", "o_proj", "up_proj"], **more
    )
    wrapped = get_peft_model(model, config)
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return wrapped


def path_of(module: Any) -> PackedLanguageModel:
    path = choose_forward(module.eval(), pad_token_id=0, device="cpu")
    assert isinstance(path, PackedLanguageModel)
    return path


def padded_of(module: Any) -> PaddedLanguageModel:
    language = language_model(module.eval())
    assert language is not None
    return PaddedLanguageModel(language, pad_token_id=0, device="cpu")


def generated(module: Any, given: list[list[int]], most: int) -> list[list[int]]:
    """What transformers writes for each prompt alone, up to the limit."""
    found = []
    for prompt in given:
        ids = module.eval().generate(
            input_ids=torch.tensor([prompt]), do_sample=False, min_new_tokens=most, max_new_tokens=most,
            pad_token_id=0, eos_token_id=None,
        )  # fmt: skip
        found.append(ids[0, len(prompt) :].tolist())
    return found


def written(path: LanguagePath, given: list[list[int]], **more: Any) -> list[list[int]]:
    settings = {"stop_ids": NOTHING, "most": 12, "batch_rows": 8, **more}
    return [list(one.ids) for one in path.write(given, **settings)]


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("beginning", [0, 6])
@pytest.mark.parametrize("lora", [False, True])
def test_it_writes_what_transformers_generates(name: str, beginning: int, lora: bool) -> None:
    module = adapted(lively(name)) if lora else lively(name)
    given = prompts(beginning)
    expected = generated(module, given, 12)
    assert len({token for one in expected for token in one}) > 10
    assert written(path_of(module), given) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_arranged_for_many_steps_write_the_same(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    arranged = 0

    def counted(weight: torch.Tensor, bias: torch.Tensor | None) -> dense.Product:
        nonlocal arranged
        arranged += 1
        return dense.packed_product(weight, bias)

    monkeypatch.setattr(step, "packed_product", counted)
    module = adapted(lively("llama")).to(dtype)
    found = written(path_of(module), prompts(), most=20)
    assert bool(arranged) == dense.packs(dtype)
    monkeypatch.setattr(step, "packs", lambda dtype: False)
    assert written(path_of(module), prompts(), most=20) == found


def test_dora_writes_with_peft_s_own_layers() -> None:
    module = adapted(lively("llama"), use_dora=True)
    assert written(path_of(module), prompts(4)) == generated(module, prompts(4), 12)


@pytest.mark.parametrize("name", ["llama", "mistral-window", "gemma3"])
def test_room_grows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(cache, "ROOM", 4)
    module = lively(name)
    assert written(path_of(module), prompts(), most=30) == generated(module, prompts(), 30)


def test_prompts_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_PACK_TOKENS", 14)
    module = lively("qwen3")
    for beginning in (0, 5):
        assert written(path_of(module), prompts(beginning)) == generated(module, prompts(beginning), 12)


@pytest.mark.parametrize("kind", [path_of, padded_of])
def test_batches_change_nothing(kind: Any) -> None:
    path = kind(lively("llama"))
    expected = written(path, prompts(), batch_rows=5)
    for batch_rows in (1, 2, 16):
        assert written(path, prompts(), batch_rows=batch_rows) == expected


@pytest.mark.parametrize("kind", [path_of, padded_of])
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_answers_end_at_stop_tokens_and_rows_that_are_done_leave(kind: Any, name: str) -> None:
    module = lively(name)
    free = generated(module, prompts(3), 20)
    stops = frozenset({free[0][2], free[2][9], free[3][15]})
    for row, found in zip(free, kind(module).write(prompts(3), stop_ids=stops, most=20, batch_rows=5), strict=True):
        end = next((place for place, token in enumerate(row) if token in stops), None)
        assert list(found.ids) == row[:end]
        assert found.finished == (end is not None)
        assert found.first_token_seconds > 0


@pytest.mark.parametrize("kind", [path_of, padded_of])
def test_a_stop_token_as_the_last_one_that_is_allowed_finishes(kind: Any) -> None:
    module = lively("llama")
    free = generated(module, prompts(), 4)
    stops = frozenset({free[0][3]})
    found = kind(module).write(prompts()[:1], stop_ids=stops, most=4, batch_rows=1)[0]
    assert found.finished == (free[0][3] not in free[0][:3])
    cut = kind(module).write(prompts()[:1], stop_ids=frozenset({free[0][3]} - set(free[0][:3])), most=3, batch_rows=1)[
        0
    ]
    assert list(cut.ids) == free[0][:3]
    assert not cut.finished


def test_rows_leave_once_enough_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    module = lively("llama")
    free = generated(module, prompts(), 20)
    kept: list[int] = []
    before = cache.KeyValues.keep
    monkeypatch.setattr(cache.KeyValues, "keep", lambda self, some: (kept.append(len(some)), before(self, some))[1])
    stops = frozenset({free[1][1], free[2][4]})
    path_of(module).write(prompts(), stop_ids=stops, most=20, batch_rows=5)
    lengths = [next((place for place, token in enumerate(row) if token in stops), 20) for row in free]
    assert kept
    assert kept[0] == sum(length > min(lengths) for length in lengths) or kept[0] <= 3
    assert kept == sorted(kept, reverse=True)


def test_training_goes_on_after_writing() -> None:
    """Nothing that writing leaves behind is unfit for gradients."""
    module = adapted(lively("llama"))
    path = path_of(module)
    written(path, prompts())
    module.train()
    path.logits(rows(5, 4)).sum().backward()
    assert all(value.grad is not None for value in module.parameters() if value.requires_grad)


def test_weights_that_changed_are_read_again() -> None:
    module = adapted(lively("llama"))
    path = path_of(module)
    before = written(path, prompts())
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    after = written(path, prompts())
    assert after != before
    assert after == generated(module, prompts(), 12)


def test_the_model_s_own_settings_of_generation_do_not_matter() -> None:
    module = lively("llama").eval()
    expected = written(padded_of(module), prompts())
    settings = module.generation_config
    settings.do_sample, settings.temperature, settings.repetition_penalty, settings.max_new_tokens = True, 5.0, 2.0, 3
    assert written(padded_of(module), prompts()) == expected == written(path_of(module), prompts())
    assert module.generation_config is settings


def test_batches_are_halved_where_memory_does_not_suffice() -> None:
    sizes: list[int] = []

    def write(batch: Any) -> list[Continuation]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no room")
        return [Continuation(ids=one, finished=True, first_token_seconds=0.1) for one in batch]

    given = [[number] for number in range(7)]
    assert [list(one.ids) for one in in_batches(given, 16, write)] == given
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert in_batches([], 4, write) == []

    def full(batch: Any) -> list[Continuation]:
        raise torch.OutOfMemoryError(f"no room for {len(batch)}")

    with pytest.raises(torch.OutOfMemoryError, match="no room for 1"):
        in_batches(given, 4, full)


@pytest.mark.parametrize("kind", [path_of, padded_of])
def test_no_prompts_are_no_answers(kind: Any) -> None:
    assert kind(lively("llama")).write([], stop_ids=NOTHING, most=4, batch_rows=2) == []
