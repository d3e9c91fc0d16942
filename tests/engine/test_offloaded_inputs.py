"""Inputs of recomputed layers on the host: the same gradients, in any order of passes."""

import pytest
import torch
from tiny_networks import DECODERS, decoder, rows
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from showdown.engine.decoder.offload import OffloadedInputs
from showdown.engine.forward import choose_forward

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TARGETS = torch.tensor([0, 3, 1])


def gradients(path: object, module: torch.nn.Module, *lengths: int) -> list[torch.Tensor]:
    module.zero_grad(set_to_none=True)
    logits = path.logits(rows(*lengths))  # type: ignore[attr-defined]
    functional.cross_entropy(logits, TARGETS[: len(lengths)]).backward()
    return [value.grad.clone() for value in module.parameters() if value.grad is not None]


@pytest.mark.parametrize("name", DECODERS)
def test_a_network_learns_the_same_from_inputs_on_the_host(name: str) -> None:
    module = decoder(name).train()
    kept = choose_forward(module, pad_token_id=0, device="cpu", recompute=True)
    moved = choose_forward(module, pad_token_id=0, device="cpu", recompute=True)
    assert not kept.walk.inputs_on_host, "on a CPU there is nowhere else to go"  # type: ignore[attr-defined]
    moved.walk.inputs_on_host = True  # type: ignore[attr-defined]
    for lengths in ((9, 4, 17), (3,), (20, 20, 5)):  # buffers grow and are used again
        expected = gradients(kept, module, *lengths)
        found = gradients(moved, module, *lengths)
        assert len(found) == len(expected) > 0
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_pass_without_a_backward_pass_leaves_nothing_behind() -> None:
    held = OffloadedInputs()
    weight = torch.randn(4, 4, device=DEVICE, requires_grad=True)

    def run(x: torch.Tensor) -> torch.Tensor:
        held.begin()
        for _ in range(3):
            with held.held():
                x = checkpoint(lambda y: (y @ weight).tanh(), x, use_reentrant=True)
        return x

    given = torch.randn(5, 4, device=DEVICE, requires_grad=True)
    run(given)  # given up, as after running out of memory
    run(given * 2).sum().backward()
    assert weight.grad is not None
    found = weight.grad.clone()
    weight.grad = None
    x = given * 2
    for _ in range(3):
        x = (x @ weight).tanh()
    x.sum().backward()
    torch.testing.assert_close(found, weight.grad)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_inputs_leave_the_gpu() -> None:
    weight = torch.randn(1024, 1024, device="cuda").requires_grad_()
    x = torch.randn(4096, 1024, device="cuda", requires_grad=True)
    peaks = {}
    for on_host in (False, True):
        held = OffloadedInputs()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        held.begin()
        hidden = x
        for _ in range(24):
            with held.held() if on_host else torch.enable_grad():
                hidden = checkpoint(lambda y: y @ weight / 32, hidden, use_reentrant=True)
        hidden.sum().backward()
        peaks[on_host] = (torch.cuda.max_memory_allocated() - before) / x.nbytes, weight.grad.clone()
        weight.grad = None
    assert peaks[False][0] > 24
    assert peaks[True][0] < 8
    torch.testing.assert_close(peaks[True][1], peaks[False][1])
