"""cuDNN's packed attention beside torch's, in one layer of a 7B on the tokens of one step: time, error, time to build.

pip install nvidia-cudnn-frontend
python -m benchmarks.gpu.cudnn_attention --out benchmarks/results
"""

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import kernel_microseconds
from benchmarks.lib.workload import random_bf16, steps_of, training_rows, vocabulary_of
from showdown.engine.decoder.attention import Heads, Layout, layout_of, packed_attention
from showdown.engine.decoder.cudnn_attention import CudnnAttention, Sizes, start_building

QUERIES, KEYS, WIDTH = 32, 8, 128
SCALE = WIDTH**-0.5
CASES = ((17, 512, True), (64, 512, True), (17, 1024, True), (17, 512, False), (17, 4096, False))
"""Sequences, tokens of the longest, and whether sums have a fixed order."""


def microseconds(name: str, run: Callable[[], Any]) -> float:
    """Return the median time of a call, and print it."""
    taken = kernel_microseconds(run)
    print(f"{name:44} {taken:8.1f} us", flush=True)
    return taken


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the relative distance of two tensors."""
    return float((found.detach().float() - expected.detach().float()).norm() / expected.detach().float().norm())


def built_beside(sizes: Sizes) -> tuple[CudnnAttention, dict[str, float]]:
    """Build in a thread; return the attention, how long it took and for how long at most it blocked Python."""
    began = time.perf_counter()
    building, longest, before = start_building(sizes), 0.0, began
    while not building.done():
        time.sleep(0.0005)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    print(f"built in {before - began:.2f} s; Python was blocked for at most {longest:.2f} s at a time", flush=True)
    attention = building.result()
    assert attention is not None
    return attention, {"build_seconds": before - began, "blocked_seconds": longest}


def torch_and_cudnn(attention: CudnnAttention, tensors: list[torch.Tensor], layout: Layout) -> dict[str, Any]:
    """Compare the outputs and gradients of both, and measure time and memory of cuDNN's."""
    *inputs, dout = tensors
    q, k, v = inputs
    expected = packed_attention(q, k, v, layout, layout, Heads(scaling=SCALE, window=None))
    out = attention(q, k, v, layout)

    def gradients(of: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(of, inputs, dout, retain_graph=True)

    found, again = gradients(out), gradients(out)
    apart = [distance(*pair) for pair in zip((out, *found), (expected, *gradients(expected)), strict=True)]
    print("distances of output and gradients", [f"{one:.4f}" for one in apart])
    equal = all(torch.equal(*pair) for pair in zip(found, again, strict=True))
    print("a rerun gives the same bits:", equal)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    gradients(out)
    backward_mb = (torch.cuda.max_memory_allocated() - before) / 1e6
    print(f"memory of the backward pass: {backward_mb:.0f} MB")
    return {
        "relative_distances": apart,
        "rerun_equal": equal,
        "backward_mb": backward_mb,
        "forward_us": microseconds("cuDNN, forward", lambda: attention(q, k, v, layout)),
        "backward_us": microseconds("cuDNN, backward", lambda: gradients(out)),
    }


def main() -> None:
    """Compare forward and backward passes, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    rows = training_rows(vocabulary_of(tiny=False))
    lengths = [rows.lengths[row] for row in steps_of("lora", rows, every=4, at_most=8)[2]]
    layout = layout_of(lengths, "cuda")
    made = [random_bf16(sum(lengths), heads, WIDTH) for heads in (QUERIES, KEYS, KEYS)]
    q, k, v = (one.requires_grad_() for one in made)
    print(f"{len(lengths)} sequences, {sum(lengths)} tokens, the longest of {max(lengths)}")
    heads = Heads(scaling=SCALE, window=None)
    forward_us = microseconds("torch, forward", lambda: packed_attention(q, k, v, layout, layout, heads))
    expected = packed_attention(q, k, v, layout, layout, heads)
    dout = torch.randn_like(expected)
    backward_us = microseconds(
        "torch, backward", lambda: torch.autograd.grad(expected, [q, k, v], dout, retain_graph=True)
    )
    cases = []
    for sequences, longest, ordered in CASES:
        sizes = Sizes(query_heads=QUERIES, key_heads=KEYS, width=WIDTH, scaling=SCALE, sequences=sequences,
                      longest=longest, tokens=8192, ordered=ordered)  # fmt: skip
        print(f"cuDNN for {sequences} sequences of at most {longest} tokens, sums in a fixed order: {ordered}")
        attention, build = built_beside(sizes)
        case = {"sequences": sequences, "longest_tokens": longest, "fixed_order": ordered}
        cases.append(case | build | torch_and_cudnn(attention, [q, k, v, dout], layout))
    pack = {"sequences": len(lengths), "tokens": sum(lengths), "longest_tokens": max(lengths)}
    torchs = {"forward_us": forward_us, "backward_us": backward_us}
    write_result(options, {"pack": pack, "torch": torchs, "cudnn": cases}, device="cuda")


if __name__ == "__main__":
    main()
