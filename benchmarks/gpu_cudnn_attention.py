"""cuDNN's packed attention against torch's, one layer of a 7B on the tokens of one step: time, distance, time to build.

Run `python benchmarks/gpu_cudnn_attention.py` where `pip install nvidia-cudnn-frontend==1.15.0` was done. The graph has
a fixed number of sequences (empty ones fill it up) and a fixed longest length, so that one graph serves every step.
"""

import time
from collections.abc import Callable
from typing import Any

import cudnn
import torch
from gpu_workload import steps_of, training_rows
from triton.testing import do_bench

from showdown.engine.attention import Heads, Layout, layout_of, packed_attention

SEQUENCES, LONGEST = 24, 512
QUERIES, KEYS, WIDTH = 32, 8, 128
SCALE = WIDTH**-0.5


def report(name: str, run: Callable[[], Any]) -> None:
    """Print the median time of a call."""
    print(f"{name:32} {1e3 * float(do_bench(run, return_mode='median')):8.1f} us", flush=True)


class Graph:
    """A cuDNN graph over packed sequences, and the tensors that every call of it gets."""

    def __init__(self, handle: Any, layout: Layout) -> None:
        kinds = {"intermediate_data_type": cudnn.data_type.FLOAT, "compute_data_type": cudnn.data_type.FLOAT}
        self.handle = handle
        self.graph = cudnn.pygraph(io_data_type=cudnn.data_type.BFLOAT16, handle=handle, **kinds)
        filler = layout.starts[-1:].expand(SEQUENCES + 1 - layout.starts.numel())
        starts = torch.cat([layout.starts, filler])
        self.given: dict[Any, torch.Tensor] = {}
        self.offsets = {heads: self._numbers(starts * (heads * WIDTH)) for heads in (QUERIES, KEYS)}
        self.lengths = self._numbers(starts[1:] - starts[:-1])
        self.mask = {"attn_scale": SCALE, "use_causal_mask": True, "use_padding_mask": True,
                     "seq_len_q": self.lengths, "seq_len_kv": self.lengths}  # fmt: skip

    def _numbers(self, values: torch.Tensor) -> Any:
        made = self.graph.tensor(dim=[values.numel(), 1, 1, 1], stride=[1, 1, 1, 1], data_type=cudnn.data_type.INT32)
        self.given[made] = values.int().view(-1, 1, 1, 1).contiguous()
        return made

    def packed(self, value: torch.Tensor) -> Any:
        """Return an input of the graph: packed tokens of shape (tokens, heads, width)."""
        dim, stride = self._shape(value.shape[1])
        made = self.graph.tensor(dim=dim, stride=stride, data_type=cudnn.data_type.BFLOAT16)
        made.set_ragged_offset(self.offsets[value.shape[1]])
        self.given[made] = value.detach()
        return made

    def output(self, made: Any, value: torch.Tensor) -> None:
        """Name where a packed output goes."""
        dim, stride = self._shape(value.shape[1])
        made.set_output(True).set_dim(dim).set_stride(stride).set_ragged_offset(self.offsets[value.shape[1]])
        self.given[made] = value

    @staticmethod
    def _shape(heads: int) -> tuple[list[int], list[int]]:
        return [SEQUENCES, heads, LONGEST, WIDTH], [LONGEST * heads * WIDTH, WIDTH, heads * WIDTH, 1]

    def built(self, name: str) -> Callable[[], None]:
        """Build the graph and return what runs it."""
        began = time.perf_counter()
        self.graph.validate()
        self.graph.build_operation_graph()
        self.graph.create_execution_plans([cudnn.heur_mode.A])
        self.graph.check_support()
        self.graph.build_plans()
        size = self.graph.get_workspace_size()
        print(f"{name}: built in {time.perf_counter() - began:.2f} s, workspace {size / 1e6:.0f} MB")
        workspace = torch.empty(max(1, size), dtype=torch.uint8, device="cuda")
        return lambda: self.graph.execute(self.given, workspace, handle=self.handle)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative distance of two tensors."""
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def main() -> None:
    """Compare forward and backward passes."""
    rows = training_rows(32000)
    lengths = [rows.lengths[row] for row in steps_of("lora", rows, every=4, at_most=8)[2]]
    layout = layout_of(lengths, "cuda")
    made = [torch.randn(sum(lengths), heads, WIDTH, device="cuda").bfloat16() for heads in (QUERIES, KEYS, KEYS)]
    q, k, v = (one.requires_grad_() for one in made)
    heads = Heads(scaling=SCALE, window=None)
    report("torch, forward", lambda: packed_attention(q, k, v, layout, layout, heads))
    expected = packed_attention(q, k, v, layout, layout, heads)
    dout = torch.randn_like(expected)
    report("torch, backward", lambda: torch.autograd.grad(expected, [q, k, v], dout, retain_graph=True))
    gradients = torch.autograd.grad(expected, [q, k, v], dout, retain_graph=True)

    handle = cudnn.create_handle()
    cudnn.set_stream(handle=handle, stream=torch.cuda.current_stream().cuda_stream)
    out, sums = torch.empty_like(expected), torch.empty(SEQUENCES, QUERIES, LONGEST, 1, device="cuda")
    shape = {"dim": list(sums.shape), "stride": list(sums.stride()), "data_type": cudnn.data_type.FLOAT}
    forward = Graph(handle, layout)
    result, stats = forward.graph.sdpa(
        q=forward.packed(q), k=forward.packed(k), v=forward.packed(v), is_inference=False, **forward.mask
    )
    forward.output(result, out)
    stats.set_output(True).set_dim(shape["dim"]).set_stride(shape["stride"]).set_data_type(shape["data_type"])
    forward.given[stats] = sums
    run = forward.built("cuDNN, forward")
    run()
    print(f"distance {distance(out, expected):.4f}")
    report("cuDNN, forward", run)

    backward, found = Graph(handle, layout), [torch.empty_like(one) for one in (q, k, v)]
    kept = backward.graph.tensor(**shape)
    backward.given[kept] = sums
    results = backward.graph.sdpa_backward(
        q=backward.packed(q), k=backward.packed(k), v=backward.packed(v), o=backward.packed(out),
        dO=backward.packed(dout), stats=kept, use_deterministic_algorithm=True, **backward.mask,
    )  # fmt: skip
    for one, value in zip(results, found, strict=True):
        backward.output(one, value.detach())
    run = backward.built("cuDNN, backward")
    run()
    print("distances", [round(distance(one, other), 4) for one, other in zip(found, gradients, strict=True)])
    report("cuDNN, backward", run)


if __name__ == "__main__":
    main()
