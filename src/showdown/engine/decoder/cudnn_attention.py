"""cuDNN's attention over packed sequences: on a Hopper GPU faster than torch's, but it takes seconds to build.

Its kernels are built for the largest number of sequences, the longest sequence and the most tokens of a pack, and
compute every smaller pack too. They are built in a thread while the network is loaded, and only for networks whose
loading takes longer. This needs `nvidia-cudnn-frontend`; without it, or where cuDNN has no kernel, torch's attention
runs (`attention.py`).
"""

import functools
import importlib.util
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Thread
from typing import TYPE_CHECKING, Any

import torch

from showdown.engine.budget import Shape, largest_tokens, shape_of
from showdown.engine.decoder.attention import Heads, Layout

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_HOPPER = 9
_WIDEST_HEAD = 128
_MOST_NUMBERS = 2**31 - 1
"""Offsets into a pack are 32-bit."""
_ORDERED_TOKENS = 512
"""Up to this length of the longest sequence, sums in a fixed order are faster; above, they take gigabytes."""
_ORDERED_SHARE = 2.5
"""Sums in a fixed order take memory for every sequence as if it were the longest, 64 KB a token in a 7B. They are used
where that is at most so many times the tokens of the pack. At 1.9 times, the memory budgets held
(`benchmarks/results/gpu/engine_vs_recipe.json`)."""
_WORTH_WEIGHTS = 1e9
"""From so many weights in the layers, loading them takes longer than building the kernels."""
_STEP = 64
"""The longest sequence is rounded up to a multiple of it; packs are filled up to one too (`forward.py`)."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes that kernels are built for."""

    query_heads: int
    key_heads: int
    width: int
    """Of one head."""
    scaling: float
    """Of the scores."""
    sequences: int
    """The most in a pack."""
    longest: int
    """Tokens of the longest sequence."""
    tokens: int
    """The most in a pack."""
    ordered: bool
    """Whether sums have a fixed order, so that a rerun gives the same result to the bit."""

    @property
    def room_for_order(self) -> bool:
        """Whether sums in a fixed order take little memory, and less time than others."""
        return self.longest <= _ORDERED_TOKENS and self.sequences * self.longest <= _ORDERED_SHARE * self.tokens


def sizes_of(config: "PretrainedConfig", lengths: Sequence[int], micro_rows: int, micro_tokens: int | None) -> Sizes:
    """Return the sizes that are needed.

    Args:
        config: transformers' configuration of a decoder.
        lengths: tokens of each training row.
        micro_rows: the most rows of a micro-batch.
        micro_tokens: the most tokens of one; None where rows alone count.

    """
    config, shape = config.get_text_config(), shape_of(config)
    width = shape.queries // config.num_attention_heads
    tokens = largest_tokens(lengths, micro_rows)
    found = Sizes(
        query_heads=config.num_attention_heads,
        key_heads=shape.keys // width,
        width=width,
        scaling=(getattr(config, "query_pre_attn_scalar", None) or width) ** -0.5,
        sequences=micro_rows + 1,  # one more fills the pack up
        longest=_rounded_up(max(lengths)),
        tokens=_rounded_up(min(tokens, max(micro_tokens or tokens, *lengths))),
        ordered=torch.are_deterministic_algorithms_enabled(),
    )
    return replace(found, ordered=found.ordered or found.room_for_order)


def _rounded_up(tokens: int) -> int:
    return -(-tokens // _STEP) * _STEP


def unsupported_reason(sizes: Sizes) -> str | None:
    """Return why these kernels cannot be built here, or None."""
    capable = torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= _HOPPER
    reasons = {
        "nvidia-cudnn-frontend is not installed": importlib.util.find_spec("cudnn") is None,
        f"no GPU of compute capability {_HOPPER} or more": not capable,
        f"heads are wider than {_WIDEST_HEAD}, or not a multiple of 8": sizes.width > _WIDEST_HEAD or sizes.width % 8,
        "offsets need more than 32 bits": sizes.tokens * sizes.query_heads * sizes.width > _MOST_NUMBERS,
        "sums in a fixed order would take too much room": sizes.ordered and not sizes.room_for_order,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def building_for(
    config: "PretrainedConfig", *, lengths: Sequence[int], micro_rows: int, micro_tokens: int | None
) -> "Future[CudnnAttention | None] | None":
    """Start building the kernels for packs of these rows in a thread; None where it is impossible or saves no time.

    The result of the future is None where cuDNN has no kernel. The arguments are those of `sizes_of`.
    """
    sizes = sizes_of(config, lengths, micro_rows, micro_tokens)
    return None if not worth_building(shape_of(config)) or unsupported_reason(sizes) else start_building(sizes)


def worth_building(shape: Shape) -> bool:
    """Return whether a decoder is so large that the kernels save more time than building them takes."""
    return shape.layers * shape.hidden * (2 * shape.queries + 2 * shape.keys + 3 * shape.inner) >= _WORTH_WEIGHTS


def start_building(sizes: Sizes) -> "Future[CudnnAttention | None]":
    """Build the kernels in a thread; the result is None where cuDNN has none."""
    found: Future[CudnnAttention | None] = Future()
    Thread(target=lambda: found.set_result(built(sizes)), name="cuDNN attention", daemon=True).start()
    return found


@functools.cache
def built(sizes: Sizes) -> "CudnnAttention | None":
    """Build the kernels, once for each size in a process; None where cuDNN has none or cannot be loaded."""
    try:
        return CudnnAttention(sizes)
    except Exception:  # whatever went wrong, torch's attention takes its place
        return None


class CudnnAttention:
    """Causal attention within each sequence of a pack, with a query for every token."""

    def __init__(self, sizes: Sizes) -> None:
        """Build the kernels of both directions.

        Raises:
            cudnn.cudnnGraphNotSupportedError: where cuDNN has none for these sizes.

        """
        import cudnn

        self.sizes = sizes
        self._handle = cudnn.create_handle()
        self._places: tuple[Layout, _Places] | None = None
        self._forward = _Graph(sizes, self._handle)
        self._forward.attend()
        self._backward = _Graph(sizes, self._handle)
        self._backward.differentiate()

    def serves(self, layout: Layout, heads: Heads) -> bool:
        """Return whether a pack is within the sizes, and no window hides any token."""
        sizes = self.sizes
        return (
            layout.lengths is not None
            and layout.sequences <= sizes.sequences
            and layout.longest <= sizes.longest
            and sum(layout.lengths) <= sizes.tokens
            and heads.scaling == sizes.scaling
            and (heads.window is None or heads.window >= layout.longest)
        )

    def __call__(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Return the attended values, shape (tokens, query heads, head width).

        Args:
            query: shape (tokens, query heads, head width), bfloat16.
            key: shape (tokens, key heads, head width).
            value: as `key`.
            layout: of a pack for which `serves` is true.

        """
        if self._places is None or self._places[0] is not layout:
            self._places = layout, _Places.of(layout, self.sizes)
        attended: torch.Tensor = _Attend.apply(query, key, value, self, self._places[1])  # type: ignore[no-untyped-call]
        return attended

    def forward(self, tensors: dict[str, torch.Tensor], places: "_Places") -> None:
        """Fill `out` and `sums` for `query`, `key` and `value`."""
        self._forward.run(tensors, places)

    def backward(self, tensors: dict[str, torch.Tensor], places: "_Places") -> None:
        """Fill `dquery`, `dkey` and `dvalue`, for what `forward` had and filled and for `dout`."""
        self._backward.run(tensors, places)


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where the sequences of a pack begin, in cuDNN's form: empty ones fill it up to the number it was built for."""

    tensors: dict[str, torch.Tensor]

    @classmethod
    def of(cls, layout: Layout, sizes: Sizes) -> "_Places":
        assert layout.lengths is not None, "`serves` has seen to it"
        lengths = torch.zeros(sizes.sequences, dtype=torch.int32)
        lengths[: len(layout.lengths)] = torch.tensor(layout.lengths, dtype=torch.int32)
        starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0, dtype=torch.int32)])
        factors = {
            "query_starts": sizes.query_heads * sizes.width,
            "key_starts": sizes.key_heads * sizes.width,
            "sums_starts": sizes.query_heads,
        }
        # One copy to the GPU for all of them.
        parts = [lengths, *(starts * factor for factor in factors.values())]
        moved = torch.split(
            torch.cat(parts).to(layout.starts.device, non_blocking=True), [part.numel() for part in parts]
        )
        return cls(tensors=dict(zip(("lengths", *factors), moved, strict=True)))


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention: CudnnAttention,
        places: _Places,
    ) -> torch.Tensor:
        given = {"query": query.contiguous(), "key": key.contiguous(), "value": value.contiguous()}
        made = {"out": torch.empty_like(given["query"]), "sums": query.new_empty(query.shape[:2], dtype=torch.float32)}
        attention.forward(given | made, places)
        ctx.attention, ctx.places = attention, places
        ctx.save_for_backward(*given.values(), *made.values())
        return made["out"]

    @staticmethod
    def backward(ctx: Any, dout: torch.Tensor) -> tuple[Any, ...]:
        names = ("query", "key", "value", "out", "sums")
        tensors = dict(zip(names, ctx.saved_tensors, strict=True)) | {"dout": dout.contiguous()}
        gradients = {f"d{name}": torch.empty_like(tensors[name]) for name in names[:3]}
        ctx.attention.backward(tensors | gradients, ctx.places)
        return (*gradients.values(), None, None)


class _Graph:
    """The forward or the backward pass as a cuDNN graph. A tensor's number is its place in `_NAMES`."""

    _NAMES = (
        "query", "key", "value", "out", "sums", "dout", "dquery", "dkey", "dvalue",
        "lengths", "query_starts", "key_starts", "sums_starts",
    )  # fmt: skip
    _KEYS = frozenset({"key", "value", "dkey", "dvalue"})
    """Tensors with key heads; the others have query heads."""

    def __init__(self, sizes: Sizes, handle: Any) -> None:
        import cudnn

        self._cudnn, self._sizes, self._handle = cudnn, sizes, handle
        kinds = {"intermediate_data_type": cudnn.data_type.FLOAT, "compute_data_type": cudnn.data_type.FLOAT}
        self._graph = cudnn.pygraph(io_data_type=cudnn.data_type.BFLOAT16, handle=handle, **kinds)
        self._starts = {name: self._whole_numbers(name, sizes.sequences + 1) for name in self._NAMES[-3:]}
        self._lengths = self._whole_numbers("lengths", sizes.sequences)
        self._names: list[str] = list(self._NAMES[-4:])
        self._workspace_bytes = 0

    def attend(self) -> None:
        """Make it the forward pass."""
        out, sums = self._graph.sdpa(
            q=self._packed("query"), k=self._packed("key"), v=self._packed("value"), generate_stats=True,
            **self._masks(),
        )  # fmt: skip
        self._output(out, "out")
        self._output(sums, "sums")
        self._build()

    def differentiate(self) -> None:
        """Make it the backward pass."""
        given = {"q": "query", "k": "key", "v": "value", "o": "out", "dO": "dout", "stats": "sums"}
        gradients = self._graph.sdpa_backward(
            **{theirs: self._packed(ours) for theirs, ours in given.items()}, **self._masks(),
            max_total_seq_len_q=self._sizes.tokens, max_total_seq_len_kv=self._sizes.tokens,
            use_deterministic_algorithm=self._sizes.ordered,
        )  # fmt: skip
        for gradient, name in zip(gradients, ("dquery", "dkey", "dvalue"), strict=True):
            self._output(gradient, name)
        self._build()

    def run(self, tensors: dict[str, torch.Tensor], places: _Places) -> None:
        """Run it on the current stream."""
        self._cudnn.set_stream(handle=self._handle, stream=torch.cuda.current_stream().cuda_stream)
        every = tensors | places.tensors
        workspace = every["query"].new_empty(self._workspace_bytes, dtype=torch.uint8)
        self._graph.execute({self._number(name): every[name] for name in self._names}, workspace, handle=self._handle)

    def _masks(self) -> dict[str, Any]:
        return {
            "attn_scale": self._sizes.scaling, "use_causal_mask": True, "use_padding_mask": True,
            "seq_len_q": self._lengths, "seq_len_kv": self._lengths,
        }  # fmt: skip

    def _number(self, name: str) -> int:
        return self._NAMES.index(name) + 1

    def _whole_numbers(self, name: str, count: int) -> Any:
        return self._graph.tensor(
            dim=[count, 1, 1, 1], stride=[1, 1, 1, 1], data_type=self._cudnn.data_type.INT32, uid=self._number(name)
        )

    def _shape(self, name: str) -> dict[str, Any]:
        """Return shape and strides of a pack as cuDNN sees it: the most sequences, each as long as the longest."""
        sizes = self._sizes
        heads = sizes.key_heads if name in self._KEYS else sizes.query_heads
        width = 1 if name == "sums" else sizes.width
        return {
            "dim": [sizes.sequences, heads, sizes.longest, width],
            "stride": [sizes.longest * heads * width, width, heads * width, 1],
        }

    def _packed(self, name: str) -> Any:
        kind = self._cudnn.data_type.FLOAT if name == "sums" else self._cudnn.data_type.BFLOAT16
        made = self._graph.tensor(**self._shape(name), data_type=kind, uid=self._number(name))
        return self._ragged(made, name)

    def _output(self, made: Any, name: str) -> None:
        shape = self._shape(name)
        made.set_output(True).set_dim(shape["dim"]).set_stride(shape["stride"]).set_uid(self._number(name))
        if name == "sums":
            made.set_data_type(self._cudnn.data_type.FLOAT)
        self._ragged(made, name)

    def _ragged(self, made: Any, name: str) -> Any:
        """Set where each sequence begins in the tensor."""
        starts = "key_starts" if name in self._KEYS else "sums_starts" if name == "sums" else "query_starts"
        made.set_ragged_offset(self._starts[starts])
        self._names.append(name)
        return made

    def _build(self) -> None:
        self._graph.validate()
        self._graph.build_operation_graph()
        self._graph.create_execution_plans([self._cudnn.heur_mode.A])
        self._graph.check_support()
        self._graph.build_plans()
        self._workspace_bytes = self._graph.get_workspace_size()
