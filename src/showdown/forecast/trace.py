"""What a forward and backward pass does, counted without weights: a pass on the meta device, operation by operation.

It serves networks and layers that the engine does not compute itself: transformers' modules over padded rows, and
PEFT's layers. Tensors on the meta device have shapes and no content, so that a pass takes milliseconds for each layer.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_aten: Any = torch.ops.aten
_FREE = {
    _aten.detach.default, _aten.empty_like.default, _aten._unsafe_view.default, _aten.lift_fresh.default,
    _aten.arange.default,
}  # fmt: skip
"""Operations that move no bytes or hardly any, beside those that return a view."""
ATTENTION, CAUSAL = "attention", "causal attention"
Noted = tuple[str, tuple[int, ...]]
"""What an operation is, and its sizes: dimensions of a product, bytes of each tensor that is moved, kept or made."""


@dataclass(kw_only=True)
class Trace:
    """What was done in a forward and backward pass."""

    products: Counter[tuple[int, int, int, int]] = field(default_factory=Counter)
    """How often a matrix product of each shape was computed: (batch, rows, inner, columns)."""
    moved_bytes: float = 0.0
    """Read and written by all other operations."""
    kernels: int = 0
    """Operations that compute something, products included."""
    saved_bytes: float = 0.0
    """Kept between forward and backward pass, parameters not counted."""
    largest_activation_bytes: float = 0.0
    """Of the largest tensor that the forward pass made."""
    attentions: Counter[tuple[int, int, int, int, bool]] = field(default_factory=Counter)
    """Attention by (rows, queries, keys, query heads times head width, causal)."""
    noted: list[Noted] = field(default_factory=list)
    """All of that, in the order in which it happened."""

    @property
    def flops(self) -> float:
        """Floating-point operations of all products, attention not counted."""
        return sum(2.0 * batch * m * k * n * times for (batch, m, k, n), times in self.products.items())


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts every operation of the passes that run inside it."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = trace
        self.forward = True
        """Whether the forward pass is not over."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _aten._local_scalar_dense.default:
            return 0  # whether a mask is all ones, or padding is missing: nothing of it has a content here
        result = func(*args, **(kwargs or {}))
        if func.is_view or func in _FREE:
            return result
        trace, inputs = self.trace, [one for one in _tensors(args)]
        outputs = [one for one in _tensors((result,))]
        trace.kernels += 1
        if self.forward:
            sizes = [_bytes(one) for one in outputs]
            trace.largest_activation_bytes = max([trace.largest_activation_bytes, *map(float, sizes)])
            trace.noted.append(("made", tuple(sizes)))
        shape = _product(func, inputs)
        if shape:
            trace.products[shape] += 1
            trace.noted.append(("product", shape))
        else:
            read, written = [_bytes(one) for one in inputs], [_bytes(one) for one in outputs]
            trace.moved_bytes += sum(read) + sum(written)
            trace.noted.append(("moved", (*([sum(read)] if func is _aten.cat.default else read), *written)))
        return result


def _product(func: Any, inputs: list[torch.Tensor]) -> tuple[int, int, int, int] | None:
    """Return the shape of a matrix product, or None for another operation."""
    name = func._schema.name
    if name in ("aten::mm", "aten::addmm"):
        left, right = inputs[-2:]
        return 1, left.shape[0], left.shape[1], right.shape[1]
    if name in ("aten::bmm", "aten::baddbmm"):
        left, right = inputs[-2:]
        return left.shape[0], left.shape[1], left.shape[2], right.shape[2]
    return None


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.itemsize


class _Held:
    """A tensor that autograd keeps, until the part of the graph that needs it is dropped."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


@contextmanager
def _keeping(trace: Trace, module: nn.Module) -> Iterator[None]:
    """Count what is kept for the backward pass when the forward pass ends, each piece of memory once."""
    own = {value.untyped_storage()._cdata for value in (*module.parameters(), *module.buffers())}
    seen: dict[int, torch.UntypedStorage] = {}  # no tensors: with them, parts of the graph would stay that are dropped
    held: list[tuple[int, weakref.ref[_Held]]] = []

    def keep(tensor: torch.Tensor) -> _Held:
        one, address = _Held(tensor), tensor.untyped_storage()._cdata
        if address not in own:
            seen.setdefault(address, tensor.untyped_storage())
            held.append((address, weakref.ref(one)))
        return one

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one.tensor):
        yield
    for address in dict.fromkeys(address for address, one in held if one() is not None):
        size = seen[address].nbytes()
        trace.saved_bytes += size
        trace.noted.append(("kept", (size,)))


class _Attention(torch.autograd.Function):
    """Stands for an attention kernel: it keeps what a fused one keeps, and computes nothing."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, kept: torch.Tensor) -> Any:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out, kept)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        query, key, value, *_ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


def traced(
    module: nn.Module,
    call: Callable[[], torch.Tensor],
    *,
    forward_only: bool = False,
    within: AbstractContextManager[Any] | None = None,
) -> Trace:
    """Return what a pass of a module on the meta device does.

    Args:
        module: transformers' network or one of its layers, on the meta device, in the mode of the pass.
        call: the forward pass; what it returns is differentiated.
        forward_only: whether there is no backward pass.
        within: what the forward pass runs in, such as the engine's own functions on a CPU.

    """
    trace = Trace()
    with torch.device("meta"), _AttentionNoted(trace):
        if forward_only:
            with torch.no_grad(), _Counting(trace), within or nullcontext():
                call()
            return trace
        with _Counting(trace) as counting:
            with _keeping(trace, module), within or nullcontext():
                result = call()
            counting.forward = False
            torch.autograd.backward(result, torch.empty_like(result))
    for parameter in module.parameters():
        parameter.grad = None
    return trace


class _AttentionNoted(TorchFunctionMode):
    """Notes attention instead of computing it: on the meta device torch would take it for a sum of plain products."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **named)
        query, key, value = [*args, *(named[name] for name in ("query", "key", "value") if name in named)][:3]
        *around, heads, queries, width = query.shape
        rows = around[0] if around else 1
        causal = bool(named.get("is_causal"))
        self.trace.attentions[rows, queries, key.shape[-2], heads * width, causal] += 1
        self.trace.noted.append((CAUSAL if causal else ATTENTION, (rows, queries, key.shape[-2], heads * width)))
        kept = torch.empty(*query.shape[:-1], dtype=torch.float32, device=query.device)
        return _Attention.apply(query, key, value, kept)  # type: ignore[no-untyped-call]
