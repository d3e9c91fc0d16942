"""Language models, packed against padded and against plain PyTorch: the same losses, gradients and logits."""

from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, get_peft_model
from tiny_networks import DECODERS, VOCABULARY, causal, rows
from torch.nn import functional

from showdown.core.spec import SharedProtocol
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.forward import choose_forward
from showdown.engine.language.padded import PaddedLanguageModel
from showdown.engine.structure import language_model
from showdown.tasks.generation.objective import NextToken

LENGTHS = (9, 3, 12, 7)
COUNTED = (4, 1, 5, 7)
"""Tokens at the end of each sequence that have a loss, but the very last."""
PLAIN, SMOOTHED = NextToken(SharedProtocol()), NextToken(SharedProtocol(label_smoothing=0.2))


def targets_of(sequences: list[torch.Tensor], counts: tuple[int, ...] = COUNTED) -> torch.Tensor:
    """The token after each, where it is one of the last of its sequence; one in the middle counts for nothing."""
    parts = []
    for sequence, count in zip(sequences, counts, strict=True):
        following = torch.cat([sequence[1:], torch.tensor([-100])])
        following[: max(0, len(sequence) - 1 - count)] = -100
        if count > 3:
            following[-3] = -100
        parts.append(following)
    return torch.cat(parts)


def adapted(model: Any, **more: Any) -> Any:
    torch.manual_seed(3)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "up_proj", "down_proj"], **more}
    return disturbed(get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)))


def disturbed(wrapped: Any) -> Any:
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return wrapped


def packed(module: Any, **more: Any) -> PackedLanguageModel:
    path = choose_forward(module, pad_token_id=0, device="cpu", **more)
    assert isinstance(path, PackedLanguageModel)
    return path


def padded(module: Any) -> PaddedLanguageModel:
    language = language_model(module)
    assert language is not None
    return PaddedLanguageModel(language, pad_token_id=0, device="cpu")


Learned = tuple[torch.Tensor, dict[str, torch.Tensor]]


def learned(path: Any, module: Any, objective: NextToken = PLAIN, sequences: Any = None) -> Learned:
    sequences = sequences or rows(*LENGTHS)
    module.zero_grad(set_to_none=True)
    loss = path.loss_sum(sequences, targets_of(sequences), objective)
    (loss / 7).backward()
    return loss.detach(), {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def plainly(module: Any, objective: NextToken = PLAIN, sequences: Any = None) -> Learned:
    """Losses and gradients of transformers' own forward pass, one sequence at a time, logits whole."""
    sequences = sequences or rows(*LENGTHS)
    module.zero_grad(set_to_none=True)
    logits = torch.cat([module(input_ids=one[None]).logits[0] for one in sequences])
    loss = objective.loss_sum(logits.float(), targets_of(sequences))
    (loss / 7).backward()
    return loss.detach(), {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def assert_equal(found: Learned, expected: Learned) -> None:
    torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=1e-5)
    assert found[1].keys() == expected[1].keys() != set()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-5, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("tied", [True, False])
def test_full_training_packed_equals_plain(name: str, recompute: bool, tied: bool) -> None:
    module = causal(name, tie_word_embeddings=tied).train()
    assert (module.lm_head.weight is module.model.embed_tokens.weight) == tied
    path = packed(module, recompute=recompute)
    assert_equal(learned(path, module), plainly(module))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
def test_lora_packed_equals_plain(name: str, recompute: bool) -> None:
    module = adapted(causal(name)).train()
    assert_equal(learned(packed(module, recompute=recompute), module), plainly(module))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("objective", [PLAIN, SMOOTHED])
def test_padded_equals_plain(name: str, objective: NextToken) -> None:
    module = causal(name).train()
    path = padded(module)
    assert path._head is not None
    assert_equal(learned(path, module, objective), plainly(module, objective))


def test_dora_and_ia3_take_peft_s_own_layers() -> None:
    module = adapted(causal("llama"), use_dora=True).train()
    assert_equal(learned(packed(module), module), plainly(module))
    module = disturbed(
        get_peft_model(
            causal("llama"),
            IA3Config(task_type="CAUSAL_LM", target_modules=["k_proj", "v_proj", "down_proj"],
                      feedforward_modules=["down_proj"]),
        )
    ).train()  # fmt: skip
    assert_equal(learned(packed(module, recompute=True), module), plainly(module))


def test_biases_learn_alone() -> None:
    module = causal("qwen2").train()
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    assert_equal(learned(packed(module), module), plainly(module))


@pytest.mark.parametrize("name", DECODERS)
def test_logits_are_those_of_transformers_for_every_token(name: str) -> None:
    module, sequences = causal(name).eval(), rows(*LENGTHS)
    with torch.no_grad():
        expected = torch.cat([module(input_ids=one[None]).logits[0] for one in sequences])
        for path in (packed(module), padded(module)):
            found = path.logits(sequences)
            assert found.shape == (sum(LENGTHS), VOCABULARY)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("beginning", [0, 6])
def test_blocks_are_the_logits_of_the_tokens_that_count(
    monkeypatch: pytest.MonkeyPatch, name: str, beginning: int
) -> None:
    monkeypatch.setattr("showdown.engine.language.chunks.CHUNK_LOGITS", 4 * VOCABULARY)
    module = causal(name).eval()
    sequences = [torch.cat([rows(beginning, seed=9)[0], one]) for one in rows(*LENGTHS)]
    targets = targets_of(sequences)
    for path in (packed(module), padded(module)):
        blocks = list(path.logit_blocks(sequences, targets))
        assert len(blocks) > 2
        assert all(len(logits) <= 4 and not logits.requires_grad for logits, _ in blocks)
        expected = path.logits(sequences)[targets != -100]
        torch.testing.assert_close(torch.cat([logits for logits, _ in blocks]), expected, atol=1e-5, rtol=1e-5)
        assert torch.equal(torch.cat([wanted for _, wanted in blocks]), targets[targets != -100])


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_common_beginning_is_computed_once_and_changes_nothing(name: str, recompute: bool, method: str) -> None:
    module = causal(name).train() if method == "full" else adapted(causal(name)).train()
    beginning = rows(8, seed=5)[0]
    sequences = [torch.cat([beginning, one]) for one in rows(*LENGTHS)]
    path = packed(module, recompute=recompute)
    given = path.lay_out(sequences, targets_of(sequences), -100)
    # The last token of the beginning is the first with a loss in the last row, all of whose own tokens count.
    assert given.pack.layout.lengths == (7, *(length + 1 for length in LENGTHS))
    once = learned(path, module, sequences=sequences)
    path.shares_beginnings = False
    assert path.lay_out(sequences, targets_of(sequences), -100).pack.shared is None
    assert_equal(once, learned(path, module, sequences=sequences))
    assert_equal(once, plainly(module, sequences=sequences))


def test_a_beginning_ends_before_the_first_token_that_counts() -> None:
    path = packed(causal("llama"))
    sequences = [torch.arange(3, 23), torch.arange(3, 25)]
    targets = targets_of(sequences, (12, 2))
    given = path.lay_out(sequences, targets, -100)
    first = int((targets[:20] != -100).nonzero()[0])
    assert given.pack.layout.lengths == (first, 20 - first, 22 - first)
    assert given.pack.places.tolist() == [*range(first), *range(first, 20), *range(first, 22)]


def test_small_packs_and_short_beginnings_are_not_worth_it() -> None:
    path = packed(causal("llama"))
    sequences = [torch.cat([rows(8, seed=5)[0], one]) for one in rows(*LENGTHS)]
    targets = targets_of(sequences)
    assert path.lay_out(sequences, targets, -100).pack.shared is not None
    path.shares_from = sum(map(len, sequences)) + 1
    assert path.lay_out(sequences, targets, -100).pack.shared is None
    path.shares_from = 0
    short = [torch.cat([torch.tensor([7]), one]) for one in rows(30, 30)]
    assert path.lay_out(short, targets_of(short, (2, 2)), -100).pack.shared is None


def test_one_sequence_or_none_alike_has_no_beginning() -> None:
    path = packed(causal("llama"))
    for sequences in ([torch.arange(3, 23)], rows(9, 9)):
        counts = tuple(2 for _ in sequences)
        assert path.lay_out(sequences, targets_of(sequences, counts), -100).pack.shared is None


@pytest.mark.parametrize("objective", [PLAIN, SMOOTHED])
@pytest.mark.parametrize("tied", [True, False])
def test_chunks_add_up_to_torch_s_loss(monkeypatch: pytest.MonkeyPatch, objective: NextToken, tied: bool) -> None:
    monkeypatch.setattr("showdown.engine.language.chunks.CHUNK_LOGITS", 3 * VOCABULARY)
    module = causal("llama", tie_word_embeddings=tied).train()
    for path in (packed(module), padded(module)):
        assert_equal(learned(path, module, objective), plainly(module, objective))


def test_logits_of_all_tokens_never_lie_there_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.engine.language.chunks.CHUNK_LOGITS", 5 * VOCABULARY)
    module = causal("llama").train()
    seen: list[int] = []
    module.lm_head.register_forward_hook(lambda _module, _given, found: seen.append(found.shape[0]))
    path = padded(module)
    seen.clear()
    learned(path, module)
    assert len(seen) == 3
    assert max(seen) <= 5
    assert sum(seen) == int((targets_of(rows(*LENGTHS)) != -100).sum())


def test_logits_that_are_capped() -> None:
    module = causal("gemma3", final_logit_softcapping=2.0).train()
    sequences = rows(*LENGTHS)
    assert padded(module)._head is None
    assert_equal(learned(packed(module), module), plainly(module))
    assert_equal(learned(padded(module), module), plainly(module))
    with torch.no_grad():
        assert packed(module.eval()).logits(sequences).abs().max() <= 2.0


@pytest.mark.parametrize("name", DECODERS)
def test_no_token_sees_another_row(name: str) -> None:
    module = causal(name).eval()
    sequences, targets = rows(*LENGTHS), targets_of(rows(*LENGTHS))
    others = torch.tensor([number != 2 for number, length in enumerate(LENGTHS) for _ in range(length)])
    for path in (packed(module), padded(module)):
        before = path.logits(sequences)
        changed = [*sequences[:2], rows(12, seed=8)[0], sequences[3]]
        after = path.logits(changed)
        assert torch.equal(before[others], after[others])
        assert not torch.allclose(before[~others], after[~others])
    again = torch.cat([logits for logits, _ in packed(module).logit_blocks(changed, targets)])
    torch.testing.assert_close(again[:4], before[targets != -100][:4], atol=1e-6, rtol=1e-6)


def test_nothing_that_counts_is_no_loss() -> None:
    module = causal("llama").train()
    sequences = rows(4, 6)
    nothing = torch.full((10,), -100)
    for path in (packed(module), padded(module)):
        loss = path.loss_sum(sequences, nothing, PLAIN)
        loss.backward()
        assert loss.item() == 0.0
        assert list(path.logit_blocks(sequences, nothing)) == []


def test_the_last_layer_is_computed_where_it_is_read() -> None:
    path = packed(causal("llama").train())
    given = path.lay_out(rows(*LENGTHS), targets_of(rows(*LENGTHS)), -100)
    assert given.pack.queries is not None
    firsts = [4, 1, 6, 0]
    assert given.pack.queries.layout.lengths == tuple(
        length - first for length, first in zip(LENGTHS, firsts, strict=True)
    )
    assert len(path.walk.hidden(given.pack)) == sum(LENGTHS) - sum(firsts)


def test_dropout_repeats_under_recomputation() -> None:
    module = adapted(causal("mistral"), lora_dropout=0.4).train()
    torch.manual_seed(13)
    kept = learned(packed(module), module)
    torch.manual_seed(13)
    assert_equal(learned(packed(module, recompute=True), module), kept)


def test_a_pack_is_filled_up_without_a_trace() -> None:
    module = causal("gemma3").train()
    path = packed(module)
    expected = learned(path, module)
    path._multiple, path.shares_beginnings = 16, False
    given = path.lay_out(rows(*LENGTHS), targets_of(rows(*LENGTHS)), -100)
    assert given.pack.queries is not None
    assert (given.pack.ids.numel(), len(given.pack.queries.places), len(given.rows)) == (32, 31, 16)
    assert given.count == 13
    assert sum(len(logits) for logits, _ in path.logit_blocks(rows(*LENGTHS), targets_of(rows(*LENGTHS)))) == 13
    assert_equal(learned(path, module), expected)
    plain = torch.cat([module(input_ids=one[None]).logits[0] for one in rows(*LENGTHS)])
    torch.testing.assert_close(path.logits(rows(*LENGTHS)), plain, atol=1e-5, rtol=1e-5)


def test_the_loss_is_cross_entropy_of_the_next_token() -> None:
    module = causal("llama").train()
    sequences = rows(*LENGTHS)
    found = packed(module).loss_sum(sequences, targets_of(sequences), PLAIN)
    expected = torch.zeros(())
    for one, targets in zip(sequences, torch.split(targets_of(sequences), list(LENGTHS)), strict=True):
        logits = module(input_ids=one[None]).logits[0]
        expected += functional.cross_entropy(logits, targets, reduction="sum")
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)
