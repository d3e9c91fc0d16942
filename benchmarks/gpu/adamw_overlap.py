"""Does AdamW cost no time on a stream of its own, beside the matrix products of the next forward pass?

    python -m benchmarks.gpu.adamw_overlap --out benchmarks/results

24 layers of a 7B and 2,925 tokens, the mean of a step of full fine-tuning. Milliseconds a round; each case has two
rounds of 0.6 seconds, in turn.
"""

import time
from collections.abc import Callable

import torch
from torch.nn import functional

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.workload import random_bf16
from showdown.engine.dropout import hash_seeds
from showdown.engine.optim.bf16 import AdamwStep, Weight, update_

SHAPES = ((6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336))
LAYERS, TOKENS = 24, 2925
ROUNDS, SECONDS = 2, 0.6
Layer = list[Weight]
Case = Callable[[], None]


def drawn(*shape: int) -> torch.Tensor:
    """Return small random bfloat16 numbers on the GPU."""
    return random_bf16(*shape) * 0.02


def layer() -> Layer:
    """Return the weights of one layer with gradients and optimizer state."""
    return [
        Weight(value=drawn(*shape), gradient=drawn(*shape), first=drawn(*shape), second=drawn(*shape).abs(), low=None)
        for shape in SHAPES
    ]


class Network:
    """Layers that AdamW updates and the forward pass computes."""

    def __init__(self) -> None:
        self._layers = [layer() for _ in range(LAYERS)]
        self._inputs = {width: drawn(TOKENS, width) for _, width in SHAPES}
        self._step, self._one = (
            AdamwStep(learning_rate=1e-6, weight_decay=0.01, number=3),
            torch.ones((), device="cuda"),
        )

    def products(self) -> None:
        """Compute the matrix products of all layers."""
        for weights in self._layers:
            self._forward(weights)

    def adamw(self) -> None:
        """Update all layers."""
        for weights in self._layers:
            self._update(weights)

    def one_after_the_other(self) -> None:
        """Update all layers, then compute the matrix products."""
        self.adamw()
        self.products()

    def beside(self, stream: torch.cuda.Stream) -> None:
        """Update the layers on another stream, and compute each as soon as it is updated."""
        stream.wait_stream(torch.cuda.current_stream())
        updated = []
        with torch.cuda.stream(stream):
            for weights in self._layers:
                self._update(weights)
                updated.append(stream.record_event())
        for weights, event in zip(self._layers, updated, strict=True):
            torch.cuda.current_stream().wait_event(event)
            self._forward(weights)

    def _forward(self, weights: Layer) -> None:
        for weight in weights:
            functional.linear(self._inputs[weight.value.shape[1]], weight.value)

    def _update(self, weights: Layer) -> None:
        for weight in weights:
            update_(weight, self._step, self._one, hash_seeds(1, 2))


def cases() -> dict[str, Case]:
    """Return the cases, by name."""
    network = Network()
    usual, first = torch.cuda.Stream(), torch.cuda.Stream(priority=-5)
    return {
        "products": network.products,
        "AdamW": network.adamw,
        "one after the other": network.one_after_the_other,
        "beside each other": lambda: network.beside(usual),
        "beside each other, AdamW first": lambda: network.beside(first),
    }


def milliseconds(run: Case) -> float:
    """Return what one round takes."""
    run()
    torch.cuda.synchronize()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        run()
        torch.cuda.synchronize()
        count += 1
    return 1e3 * (time.perf_counter() - began) / count


def main() -> None:
    """Measure, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    timed = cases()
    found: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, run in timed.items():
            found[name].append(round(milliseconds(run), 2))
    for name, rounds in found.items():
        print(f"{name:32} {rounds} ms")
    write_result(options, {"milliseconds": found}, device="cuda")


if __name__ == "__main__":
    main()
