"""cuDNN's packed attention against torch's, one layer of a 7B on the tokens of one step: time, distance, time to build.

Run `python benchmarks/gpu_cudnn_attention.py` where `pip install nvidia-cudnn-frontend` was done.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from gpu_workload import steps_of, training_rows
from triton.testing import do_bench

from showdown.engine.decoder.attention import Heads, Layout, layout_of, packed_attention
from showdown.engine.decoder.cudnn_attention import CudnnAttention, Sizes, start_building

QUERIES, KEYS, WIDTH = 32, 8, 128
SCALE = WIDTH**-0.5
CASES = ((17, 512, True), (64, 512, True), (17, 1024, True), (17, 512, False), (17, 4096, False))
"""Sequences, tokens of the longest, and whether sums have a fixed order."""


def report(name: str, run: Callable[[], Any]) -> None:
    """Print the median time of a call."""
    print(f"{name:44} {1e3 * float(do_bench(run, return_mode='median')):8.1f} us", flush=True)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative distance of two tensors."""
    return float((found.detach().float() - expected.detach().float()).norm() / expected.detach().float().norm())


def built_beside(sizes: Sizes) -> CudnnAttention:
    """Build in a thread, and print how long it took and the longest time that it kept Python to itself."""
    began = time.perf_counter()
    building, longest, before = start_building(sizes), 0.0, began
    while not building.done():
        time.sleep(0.0005)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    print(f"built in {before - began:.2f} s, of which Python was held for {longest:.2f} s at a time", flush=True)
    attention = building.result()
    assert attention is not None
    return attention


def torch_and_cudnn(attention: CudnnAttention, tensors: list[torch.Tensor], layout: Layout) -> None:
    """Compare the outputs and gradients of both, and report time and memory of cuDNN's."""
    *inputs, dout = tensors
    q, k, v = inputs
    expected = packed_attention(q, k, v, layout, layout, Heads(scaling=SCALE, window=None))
    out = attention(q, k, v, layout)

    def gradients(of: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(of, inputs, dout, retain_graph=True)

    found, again = gradients(out), gradients(out)
    apart = [distance(*pair) for pair in zip((out, *found), (expected, *gradients(expected)), strict=True)]
    print("distances of output and gradients", [f"{one:.4f}" for one in apart])
    print("a rerun gives the same bits:", all(torch.equal(*pair) for pair in zip(found, again, strict=True)))
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    gradients(out)
    print(f"memory of the backward pass: {(torch.cuda.max_memory_allocated() - before) / 1e6:.0f} MB")
    report("cuDNN, forward", lambda: attention(q, k, v, layout))
    report("cuDNN, backward", lambda: gradients(out))


def main() -> None:
    """Compare forward and backward passes."""
    rows = training_rows(32000)
    lengths = [rows.lengths[row] for row in steps_of("lora", rows, every=4, at_most=8)[2]]
    layout = layout_of(lengths, "cuda")
    made = [torch.randn(sum(lengths), heads, WIDTH, device="cuda").bfloat16() for heads in (QUERIES, KEYS, KEYS)]
    q, k, v = (one.requires_grad_() for one in made)
    print(f"{len(lengths)} sequences, {sum(lengths)} tokens, the longest of {max(lengths)}")
    heads = Heads(scaling=SCALE, window=None)
    report("torch, forward", lambda: packed_attention(q, k, v, layout, layout, heads))
    expected = packed_attention(q, k, v, layout, layout, heads)
    dout = torch.randn_like(expected)
    report("torch, backward", lambda: torch.autograd.grad(expected, [q, k, v], dout, retain_graph=True))
    for sequences, longest, ordered in CASES:
        sizes = Sizes(query_heads=QUERIES, key_heads=KEYS, width=WIDTH, scaling=SCALE, sequences=sequences,
                      longest=longest, tokens=8192, ordered=ordered)  # fmt: skip
        print(f"cuDNN for {sequences} sequences of at most {longest} tokens, sums in a fixed order: {ordered}")
        torch_and_cudnn(built_beside(sizes), [q, k, v, dout], layout)


if __name__ == "__main__":
    main()
