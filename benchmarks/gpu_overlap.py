"""AdamW beside the matrix products of the next forward pass, on a stream of its own: whether that saves its time.

Run `python benchmarks/gpu_overlap.py --out benchmarks/results/gpu_overlap.json`. 24 layers of a 7B, 2,925 tokens (a
step of full fine-tuning on average); milliseconds a round, two rounds of 0.6 seconds of each case in turn.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from gpu_meter import environment
from torch.nn import functional

from showdown.engine.dropout import hash_seeds
from showdown.engine.optim.bf16 import AdamwStep, Weight, update_

SHAPES = ((6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336))
LAYERS, TOKENS = 24, 2925
ROUNDS, SECONDS = 2, 0.6
Layer = list[Weight]
Case = Callable[[], None]


def drawn(*shape: int) -> torch.Tensor:
    """Return small random bfloat16 numbers on the GPU."""
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16) * 0.02


def layer() -> Layer:
    """Return the weights of one layer with gradients and moments."""
    return [
        Weight(value=drawn(*shape), gradient=drawn(*shape), first=drawn(*shape), second=drawn(*shape).abs(), low=None)
        for shape in SHAPES
    ]


class Network:
    """Layers to step and to go forward through."""

    def __init__(self) -> None:
        self._layers = [layer() for _ in range(LAYERS)]
        self._inputs = {width: drawn(TOKENS, width) for _, width in SHAPES}
        self._step, self._one = (
            AdamwStep(learning_rate=1e-6, weight_decay=0.01, number=3),
            torch.ones((), device="cuda"),
        )

    def products(self) -> None:
        """Go forward through all layers."""
        for weights in self._layers:
            self._forward(weights)

    def adamw(self) -> None:
        """Step all layers."""
        for weights in self._layers:
            self._stepped(weights)

    def one_after_the_other(self) -> None:
        """Step all layers, then go forward."""
        self.adamw()
        self.products()

    def beside(self, stream: torch.cuda.Stream) -> None:
        """Step the layers on another stream, and go forward through each as soon as it is stepped."""
        stream.wait_stream(torch.cuda.current_stream())
        stepped = []
        with torch.cuda.stream(stream):
            for weights in self._layers:
                self._stepped(weights)
                stepped.append(stream.record_event())
        for weights, event in zip(self._layers, stepped, strict=True):
            torch.cuda.current_stream().wait_event(event)
            self._forward(weights)

    def _forward(self, weights: Layer) -> None:
        for weight in weights:
            functional.linear(self._inputs[weight.value.shape[1]], weight.value)

    def _stepped(self, weights: Layer) -> None:
        for weight in weights:
            update_(weight, self._step, self._one, hash_seeds(1, 2))


def cases() -> dict[str, Case]:
    """Return what is timed."""
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    timed = cases()
    found: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, run in timed.items():
            found[name].append(round(milliseconds(run), 2))
    for name, rounds in found.items():
        print(f"{name:32} {rounds} ms")
    options.out.write_text(json.dumps({"milliseconds": found, "environment": environment("cuda")}, indent=1) + "\n")


if __name__ == "__main__":
    main()
