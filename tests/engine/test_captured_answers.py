"""Answers from recorded passes: through a stand-in that runs again what was recorded, on a CPU, and as CUDA graphs."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from recorded import WIDE, Again, adapted
from tiny_networks import DECODERS, decoder, rows

from showdown.engine.forward import choose_forward
from showdown.engine.graphs.cache import CudaGraphs
from showdown.engine.graphs.capture import CapturedForward, answering_forward
from showdown.tasks.classification.network import NetworkClassifier

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.mark.parametrize("name", DECODERS)
def test_answers_are_the_same_from_recorded_passes(name: str) -> None:
    module = adapted(name).eval()
    path: Any = choose_forward(module, pad_token_id=0, device="cpu")
    record = Again()
    answering = CapturedForward(path, record=record)
    asked = [rows(9, 4, 17), rows(9, 5, 16, seed=2), rows(3, 20, 7, seed=3), rows(150, 1, 2), rows(60)]
    with torch.no_grad():
        found = [answering.logits(one) for one in asked]  # kept while others are asked
        expected = [path.logits(one) for one in asked]
    assert answering.replayed == 2
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert answering.name == path.name


def test_a_classifier_that_records_is_warmed_up_before_it_is_timed() -> None:
    path: Any = choose_forward(adapted("mistral").eval(), pad_token_id=0, device="cpu")
    assert NetworkClassifier(torch.nn.Identity(), path, None, 8).warm_up_rounds == 0
    answering = CapturedForward(path, record=Again())
    rounds = NetworkClassifier(torch.nn.Identity(), answering, None, 8).warm_up_rounds
    with torch.no_grad():
        for _ in range(rounds):
            answering.logits(rows(9))
        before = answering.replayed
        answering.logits(rows(9))
    assert before == 1, "the last round of warming up is the one that records"
    assert answering.replayed == 2


def test_answers_with_gradients_are_not_recorded() -> None:
    path: Any = choose_forward(adapted("mistral").eval(), pad_token_id=0, device="cpu")
    answering = CapturedForward(path, record=Again())
    for _ in range(3):
        answering.logits(rows(9, 4)).sum().backward()  # type: ignore[no-untyped-call]
    assert answering.replayed == 0


def test_threads_get_their_own_answers() -> None:
    path: Any = choose_forward(adapted("mistral").eval(), pad_token_id=0, device="cpu")
    answering = CapturedForward(path, record=Again())
    asked = [rows(9, 4, seed=seed) for seed in range(40)]

    def answer(sequences: list[torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return answering.logits(sequences)

    expected = [answer(one) for one in asked]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(answer, asked))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_only_what_a_gpu_packs_is_recorded_for_answers() -> None:
    path: Any = choose_forward(adapted("mistral"), pad_token_id=0, device="cpu")
    assert answering_forward(path) is path
    path.device = "cuda"
    assert isinstance(answering_forward(path), CapturedForward)
    padded = choose_forward(decoder("mistral", attention_dropout=0.1), pad_token_id=0, device="cpu")
    assert answering_forward(padded) is padded


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("name", DECODERS)
def test_answers_from_graphs_are_those_of_launches(name: str) -> None:
    path: Any = choose_forward(
        adapted(name, device="cuda", **WIDE).to(torch.bfloat16).eval(), pad_token_id=0, device="cuda"
    )
    launched, answering = CapturedForward(path, record=Again(fails=True)), CapturedForward(path, record=CudaGraphs())
    asked = [rows(9, 4, 17), rows(9, 5, 16, seed=2), rows(3, 20, 7, seed=3), rows(150, 1, 2), rows(60)]
    with torch.no_grad():
        assert all(torch.equal(answering.logits(one), launched.logits(one)) for one in asked)
    assert answering.replayed == 2
