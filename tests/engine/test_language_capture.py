"""Language models trained and written with from recorded passes: through a stand-in on a CPU, and as CUDA graphs."""

from typing import Any

import peft
import pytest
import torch
from recorded import WIDE, Again
from tiny_networks import DECODERS, causal, rows

from showdown.core.spec import SharedProtocol
from showdown.engine.accumulate import EagerAccumulator
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.forward import choose_forward
from showdown.engine.graphs.cache import CudaGraphs
from showdown.engine.graphs.capture import GraphAccumulator, answering_forward, choose_accumulator
from showdown.tasks.generation.objective import NextToken

OBJECTIVE = NextToken(SharedProtocol())
STEPS = ((9, 4, 17), (9, 5, 16), (3, 20, 7), (30, 2, 40), (5, 5, 2), (12, 60, 9))
"""Lengths of the rows of each step: all of one size when they are filled up."""
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def adapted(name: str, *, dropout: float = 0.1, **more: Any) -> Any:
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_dropout=dropout, target_modules=["q_proj", "v_proj", "down_proj"]
    )
    found = peft.get_peft_model(causal(name, **more), config).train()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return found


def path_of(module: Any, device: str = "cpu", **more: Any) -> PackedLanguageModel:
    path = choose_forward(module, pad_token_id=0, device=device, **more)
    assert isinstance(path, PackedLanguageModel)
    return path


def learning(module: Any) -> list[torch.nn.Parameter]:
    return [value for value in module.parameters() if value.requires_grad]


def captured(module: Any, record: Any, device: str = "cpu", **more: Any) -> GraphAccumulator:
    path = path_of(module, device, **more)
    if device == "cpu":
        path.walk.inputs_on_host = path.walk.recompute
    eager = EagerAccumulator(path, OBJECTIVE)
    return GraphAccumulator(path, OBJECTIVE, learning(module), most_tokens=None, otherwise=eager, record=record)


def trained(module: Any, passes: Any) -> tuple[list[float], list[torch.Tensor]]:
    """Losses and gradients of some steps, weights moving along the gradient."""
    torch.manual_seed(3)
    losses, gradients = [], []
    for number, lengths in enumerate(STEPS):
        sequences = rows(*lengths, seed=number)
        targets = torch.cat([torch.cat([row[1:], torch.tensor([-100])]) for row in sequences])
        targets[: len(sequences[0]) - 3] = -100
        losses.append(float(passes.accumulate(sequences, targets, 5)))
        for parameter in learning(module):
            assert parameter.grad is not None
            gradients.append(parameter.grad.clone().cpu())
            with torch.no_grad():
                parameter.sub_(parameter.grad, alpha=0.05)
            parameter.grad = None
    return losses, gradients


def assert_equal(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=1e-5)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", DECODERS)
def test_recorded_passes_learn_as_others_do(name: str, recompute: bool) -> None:
    module = adapted(name, dropout=0.0)
    expected = trained(module, EagerAccumulator(path_of(module), OBJECTIVE))
    module, record = adapted(name, dropout=0.0), Again()
    passes = captured(module, record, recompute=recompute)
    found = trained(module, passes)
    assert 1 <= record.recorded < passes.replayed
    assert_equal(found, expected)


def test_tied_weights_learn_from_recorded_passes() -> None:
    module = causal("llama").train()
    expected = trained(module, EagerAccumulator(path_of(module), OBJECTIVE))
    module = causal("llama").train()
    assert_equal(trained(module, captured(module, Again())), expected)


def test_what_is_recorded_is_what_is_computed_with_dropout() -> None:
    module = adapted("mistral")
    expected = trained(module, captured(module, Again(fails=True)))
    module = adapted("mistral")
    found = trained(module, captured(module, Again()))
    assert found[0] == expected[0]
    assert all(torch.equal(one, other) for one, other in zip(found[1], expected[1], strict=True))


def test_a_gpu_records_what_it_can_pack() -> None:
    module = adapted("llama")
    path: Any = path_of(module)
    options = {"gradients_stay": True, "most_tokens": None}
    parameters = {name: value for name, value in module.named_parameters() if value.requires_grad}
    assert isinstance(choose_accumulator(path, OBJECTIVE, parameters, **options), EagerAccumulator)  # type: ignore[arg-type]
    assert answering_forward(path) is path
    assert path.recorder is None
    path.device = "cuda"
    assert isinstance(choose_accumulator(path, OBJECTIVE, parameters, **options), GraphAccumulator)  # type: ignore[arg-type]
    assert answering_forward(path) is path
    assert path.recorder is CudaGraphs


@pytest.mark.parametrize("fails", [False, True])
def test_recorded_steps_write_the_same(fails: bool) -> None:
    module = causal("gemma3", tie_word_embeddings=False, initializer_range=0.3).eval()
    path, record = path_of(module), Again(fails=fails)
    prompts = [row.tolist() for row in rows(9, 3, 12, 7)]
    settings = {"stop_ids": frozenset({3, 4, 5, 6, 7, 8}), "most": 60, "batch_rows": 4}
    expected = [one.ids for one in path.write(prompts, **settings)]
    path.recorder = lambda: record
    assert [one.ids for one in path.write(prompts, **settings)] == expected
    assert (record.recorded > 0) != fails


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", ["mistral-window", "qwen3", "gemma3"])
@pytest.mark.parametrize("whole", [False, True])
def test_graphs_give_the_same_bits(name: str, recompute: bool, whole: bool) -> None:
    results = []
    for record in (Again(fails=True), CudaGraphs()):
        module = causal(name, **WIDE).train() if whole else adapted(name, **WIDE)
        module = module.to("cuda", torch.bfloat16)
        passes = captured(module, record, "cuda", recompute=recompute)
        results.append(trained(module, passes))
        assert (passes.replayed > 0) != isinstance(record, Again)
    assert results[0][0] == results[1][0]
    assert all(torch.equal(one, other) for one, other in zip(results[0][1], results[1][1], strict=True))
