"""Training from recorded passes: through a stand-in that runs again what was recorded, on a CPU, and as CUDA graphs."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from recorded import WIDE, Again, adapted
from tiny_networks import DECODERS, decoder, rows

from showdown.core.spec import SharedProtocol
from showdown.core.task import Objective
from showdown.engine.accumulate import EagerAccumulator
from showdown.engine.budget import launch_bound_tokens, shape_of
from showdown.engine.decoder.forward import PackedForward
from showdown.engine.forward import PaddedForward, choose_forward
from showdown.engine.graphs.cache import CudaGraphs, filled_size
from showdown.engine.graphs.capture import GraphAccumulator, choose_accumulator
from showdown.tasks.classification.objective import CrossEntropy

CROSS_ENTROPY = CrossEntropy(SharedProtocol())
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
STEPS = ((9, 4, 17), (9, 5, 16), (3, 20, 7), (30, 1, 40), (5, 5, 2), (12, 60, 9))
"""Lengths of the rows of each step: all of one size when they are filled up."""
REPLAYED = 2 * len(STEPS) - 1
"""Of two micro-batches a step, all but the first."""


def learning(module: Any) -> dict[str, torch.nn.Parameter]:
    return {name: value for name, value in module.named_parameters() if value.requires_grad}


def captured(
    module: Any,
    record: Any,
    *,
    device: str = "cpu",
    recompute: bool = False,
    objective: Objective = CROSS_ENTROPY,
) -> GraphAccumulator:
    path = choose_forward(module, pad_token_id=0, device=device, recompute=recompute)
    assert hasattr(path, "walk")
    if device == "cpu":
        path.walk.inputs_on_host = recompute
    parameters = list(learning(module).values())
    eager = EagerAccumulator(path, objective)
    return GraphAccumulator(path, objective, parameters, most_tokens=None, otherwise=eager, record=record)


def trained(module: Any, passes: Any, steps: Any = STEPS) -> tuple[list[float], list[torch.Tensor]]:
    """Losses and gradients of some steps, two micro-batches each, weights moving along the gradient."""
    torch.manual_seed(3)
    losses, gradients = [], []
    for number, lengths in enumerate(steps):
        sequences, targets = rows(*lengths, seed=number), torch.arange(len(lengths)) % 5
        total = torch.zeros((), device=next(module.parameters()).device)
        for half in (slice(0, 2), slice(2, None)):
            total += passes.accumulate(sequences[half], targets[half], len(lengths))
        losses.append(float(total))
        for parameter in learning(module).values():
            assert parameter.grad is not None
            gradients.append(parameter.grad.clone().cpu())
            with torch.no_grad():
                parameter.sub_(parameter.grad, alpha=0.1)
            parameter.grad = None
    return losses, gradients


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", DECODERS)
def test_what_is_recorded_is_what_is_computed(name: str, recompute: bool) -> None:
    module = adapted(name)
    never = captured(module, Again(fails=True), recompute=recompute)
    expected = trained(module, never)
    assert never.replayed == 0
    module, record = adapted(name), Again()
    passes = captured(module, record, recompute=recompute)
    found = trained(module, passes)
    assert record.recorded == 1, "packs of two rows and of one are filled up alike"
    assert passes.replayed == REPLAYED
    assert found[0] == expected[0]
    assert all(torch.equal(one, other) for one, other in zip(found[1], expected[1], strict=True))


def test_recorded_passes_learn_as_others_do_without_dropout() -> None:
    module = adapted("mistral", dropout=0.0)
    expected = trained(module, EagerAccumulator(choose_forward(module, pad_token_id=0, device="cpu"), CROSS_ENTROPY))
    module = adapted("mistral", dropout=0.0)
    found = trained(module, captured(module, Again()))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


class Smoothed(CrossEntropy):
    """A loss that a task has changed."""

    def loss_sum(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=0.5)


@pytest.mark.parametrize(
    "objective", [Smoothed(SharedProtocol()), CrossEntropy(SharedProtocol(label_smoothing=0.5))], ids=["task", "key"]
)
def test_recorded_passes_minimise_the_objective_that_others_do(objective: Objective) -> None:
    module = adapted("mistral", dropout=0.0)
    eager = trained(module, EagerAccumulator(choose_forward(module, pad_token_id=0, device="cpu"), objective))
    module = adapted("mistral", dropout=0.0)
    passes = captured(module, Again(), objective=objective)
    recorded = trained(module, passes)
    assert passes.replayed == REPLAYED
    torch.testing.assert_close(recorded, eager, atol=1e-5, rtol=1e-5)
    module = adapted("mistral", dropout=0.0)
    plain = trained(module, captured(module, Again()))
    assert max(abs(one - other) for one, other in zip(plain[0], recorded[0], strict=True)) > 1e-2


def test_dropout_masks_differ_from_replay_to_replay() -> None:
    module = adapted("mistral", dropout=0.5)
    passes = captured(module, Again())
    sequences, targets = rows(9, 4, 17), torch.tensor([0, 3, 1])
    losses = {float(passes.accumulate(sequences, targets, 3)) for _ in range(6)}
    assert passes.replayed == 5
    assert len(losses) == 6


def test_what_was_recorded_goes_with_the_training() -> None:
    module = adapted("mistral")
    passes = captured(module, lambda run: (lambda: None, run()))  # as a graph: it does not hold the function
    trained(module, passes)
    size = next(iter(passes._cache._sizes.values()))
    gone = weakref.ref(size)
    gc.disable()  # not at some later time: its memory is wanted for the next training
    try:
        del size, passes
        assert gone() is None
    finally:
        gc.enable()


def test_gradients_are_added_to_those_of_a_pass_that_was_not_recorded() -> None:
    module = adapted("mistral", dropout=0.0)
    passes = captured(module, Again())
    small, targets = rows(9, 4, 17), torch.tensor([0, 3, 1])
    passes.accumulate(small, targets, 6)
    module.zero_grad(set_to_none=True)
    eager = EagerAccumulator(choose_forward(module, pad_token_id=0, device="cpu"), CROSS_ENTROPY)
    other = rows(8, 8, 8, seed=4)
    for one in (small, other):
        eager.accumulate(one, targets, 6)
    expected = [value.grad.clone() for value in learning(module).values() if value.grad is not None]
    module.zero_grad(set_to_none=True)
    eager.accumulate(other, targets, 6)
    passes.accumulate(small, targets, 6)
    assert passes.replayed == 1
    found = [value.grad for value in learning(module).values()]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_a_first_pass_that_ran_out_of_memory_is_no_pass() -> None:
    """The size comes again, and is recorded only after a whole pass has shown which parameters get a gradient."""
    module, record = adapted("mistral", dropout=0.0), Again()
    passes = captured(module, record)
    whole = passes._forward.logits_of
    passes._forward.logits_of = lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError("no room"))  # type: ignore[method-assign]
    small, targets = rows(9, 4, 17), torch.tensor([0, 3, 1])
    with pytest.raises(torch.OutOfMemoryError):
        passes.accumulate(small, targets, 3)
    passes._forward.logits_of = whole  # type: ignore[method-assign]
    found = []
    for _ in range(3):
        passes.accumulate(small, targets, 3)
        found.append([value.grad for value in learning(module).values()])
        assert all(gradient is not None and gradient.any() for gradient in found[-1])
        found[-1] = [gradient.clone() for gradient in found[-1] if gradient is not None]
        module.zero_grad(set_to_none=True)
        assert record.recorded == (0 if len(found) == 1 else 1)
    torch.testing.assert_close(found[1:], found[:1] * 2)


def test_gradients_are_held_once() -> None:
    """Also by a pass of a new size, by a large one, and where nothing can be recorded."""
    for record in (Again(), Again(fails=True)):
        module = adapted("mistral")
        passes = captured(module, record)
        kept: dict[str, int] = {}
        for lengths in ((9, 4), (9, 4), (150, 2), (9, 4), (300,)):
            passes.accumulate(rows(*lengths), torch.zeros(len(lengths), dtype=torch.int64), len(lengths))
            places = {name: value.grad.data_ptr() for name, value in learning(module).items() if value.grad is not None}
            kept = kept or places
            assert places == kept
            module.zero_grad(set_to_none=True)
        passes._cache.worthwhile = lambda _: False  # type: ignore[method-assign]
        passes.accumulate(rows(9, 4), torch.tensor([0, 3]), 2)
        assert {
            name: value.grad.data_ptr() for name, value in learning(module).items() if value.grad is not None
        } == kept


def test_giving_up_lets_go_and_records_nothing_more() -> None:
    module, record = adapted("mistral", dropout=0.0), Again()
    passes = captured(module, record)
    small, targets = rows(9, 4, 17), torch.tensor([0, 3, 1])
    assert not passes.release(), "nothing is recorded yet"
    passes = captured(module, record)
    for _ in range(3):
        passes.accumulate(small, targets, 3)
    assert passes.replayed == 2
    assert passes.release()
    assert not passes.release()
    for _ in range(3):
        passes.accumulate(small, targets, 3)
    assert (passes.replayed, record.recorded) == (2, 1)


def test_large_packs_are_left_to_others() -> None:
    module = adapted("mistral")
    passes = captured(module, Again())
    most = launch_bound_tokens(shape_of(module.config))
    taken = []
    passes._otherwise = type("Other", (), {"accumulate": lambda _, *given: taken.append(given)})()
    passes._most_tokens = most + 1
    huge = [torch.zeros(1, dtype=torch.int64).expand(most + 1)]
    passes.accumulate(huge, torch.tensor([0]), 1)
    assert len(taken) == 1


def test_a_size_of_its_own_is_recorded_apart() -> None:
    module, record = adapted("mistral"), Again()
    passes = captured(module, record)
    for lengths in ((9, 4, 17), (9, 4, 17, 5, 6), (200,), (9, 4, 17), (100, 90, 5), (9, 4, 17, 5, 6)):
        passes.accumulate(rows(*lengths), torch.zeros(len(lengths), dtype=torch.int64), len(lengths))
    assert record.recorded == 3, "128 tokens in 4 and in 8 rows, 256 in 4"


def test_rows_are_filled_up_only_where_tokens_are() -> None:
    module = adapted("mistral")
    passes = captured(module, Again())
    for lengths in ((30, 98), (30, 97), (30, 96)):
        passes.accumulate(rows(*lengths), torch.tensor([0, 3]), 2)
    assert sorted(key[:3] for key in passes._cache._sizes) == [(128, 2, 2), (128, 2, 3), (128, 4, 4)]


def test_a_recording_that_fails_is_tried_once() -> None:
    module = adapted("mistral")
    passes = captured(module, Again(fails=True))
    attempts = []
    fail = passes._cache._record
    passes._cache._record = lambda run: (attempts.append(1), fail(run))[1]  # type: ignore[assignment,func-returns-value]
    trained(module, passes)
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("tokens", "most", "filled"),
    [(1, None, 128), (128, None, 128), (129, None, 256), (1025, None, 1152), (2049, None, 2304), (9000, None, 9216),
     (9000, 9100, 9100), (9000, 8000, 9000)],
)  # fmt: skip
def test_sizes_come_again_and_keep_to_the_memory_that_was_planned(tokens: int, most: int | None, filled: int) -> None:
    assert filled_size(tokens, most) == filled


@pytest.mark.parametrize("why", ["a CPU", "a layer of another kind", "padding", "no room for gradients"])
def test_what_is_not_captured(why: str) -> None:
    module = adapted("mistral")
    path: Any = choose_forward(module, pad_token_id=0, device="cpu")
    path.device = "cpu" if why == "a CPU" else "cuda"
    path.walk._opaque = why == "a layer of another kind"
    if why == "padding":
        path = choose_forward(decoder("mistral", attention_dropout=0.1), pad_token_id=0, device="cpu")
    stay = why != "no room for gradients"
    assert isinstance(path, PaddedForward if why == "padding" else PackedForward)
    found = choose_accumulator(path, CROSS_ENTROPY, learning(module), gradients_stay=stay, most_tokens=None)
    assert isinstance(found, EagerAccumulator)


def test_adapters_on_a_gpu_are_captured() -> None:
    module = adapted("mistral")
    path: Any = choose_forward(module, pad_token_id=0, device="cpu")
    path.device = "cuda"
    assert isinstance(
        choose_accumulator(path, CROSS_ENTROPY, learning(module), gradients_stay=True, most_tokens=64), GraphAccumulator
    )


def test_nothing_is_recorded_without_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that keeps its activations needs more than one that recomputes them, an answer as little as that."""
    module = adapted("mistral")
    passes = captured(module, Again())
    cache, path = passes._cache, passes._forward
    path.device = "cuda"
    free = {"bytes": 0.0}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free["bytes"], 80e9))

    def least() -> float:
        free["bytes"] = 0.0
        while not cache._has_room(1_000_000):
            free["bytes"] += 0.1e9
        return free["bytes"]

    keeps = least()
    with torch.no_grad():
        answers = least()
    path.walk.recompute = True
    assert keeps > least() == answers > 0.3e9


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", DECODERS)
def test_graphs_give_the_same_bits(name: str, recompute: bool) -> None:
    results = []
    for record in (Again(fails=True), CudaGraphs()):
        module = adapted(name, device="cuda", **WIDE).to(torch.bfloat16)
        passes = captured(module, record, device="cuda", recompute=recompute)
        results.append(trained(module, passes))
        assert passes.replayed == (0 if isinstance(record, Again) else REPLAYED)
    assert results[0][0] == results[1][0]
    assert all(torch.equal(one, other) for one, other in zip(results[0][1], results[1][1], strict=True))


@needs_gpu
@pytest.mark.gpu
def test_a_recording_that_fails_on_the_gpu_leaves_training_as_it_was() -> None:
    module = adapted("mistral", device="cuda", **WIDE).to(torch.bfloat16)
    graphs = CudaGraphs()

    def spoilt(run: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
        return graphs(lambda: run() * float(run()))  # a number that the host waits for

    passes = captured(module, spoilt, device="cuda")
    found = trained(module, passes)
    assert passes.replayed == 0
    module = adapted("mistral", device="cuda", **WIDE).to(torch.bfloat16)
    expected = trained(module, captured(module, Again(fails=True), device="cuda"))
    assert found[0] == expected[0]
    assert all(torch.equal(one, other) for one, other in zip(found[1], expected[1], strict=True))
