"""cuDNN's attention without cuDNN: a stand-in reads the same graph, by the strides and starts that it is told."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_networks import decoder, rows
from torch.nn import functional

from showdown.engine.decoder import cudnn_attention
from showdown.engine.decoder.attention import Heads, layout_of, packed_attention
from showdown.engine.decoder.cudnn_attention import (
    CudnnAttention,
    Sizes,
    building_for,
    built,
    sizes_of,
    unsupported_reason,
)
from showdown.engine.forward import choose_forward

LENGTHS = (5, 1, 9)
SIZES = Sizes(query_heads=4, key_heads=2, width=8, scaling=0.3, sequences=4, longest=64, tokens=64, ordered=False)
HEADS = Heads(scaling=0.3, window=None)


class Tensor:
    """A tensor of the graph: shape, strides, number, and where each sequence begins."""

    def __init__(self, dim: Any = None, stride: Any = None, data_type: Any = None, uid: int = 0) -> None:
        self.dim, self.stride, self.data_type, self.uid, self.starts = dim, stride, data_type, uid, None

    def set_ragged_offset(self, starts: "Tensor") -> None:
        self.starts = starts

    def __getattr__(self, name: str) -> Any:
        assert name in ("set_output", "set_dim", "set_stride", "set_uid", "set_data_type"), name

        def put(value: Any) -> "Tensor":
            setattr(self, name.removeprefix("set_"), value)
            return self

        return put


class Graph:
    """Computes attention sequence by sequence, reading and writing through the strides that it was given."""

    def __init__(self, **_: Any) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.made: tuple[Tensor, ...] = ()
        self.settings: dict[str, Any] = {}

    def tensor(self, **given: Any) -> Tensor:
        return Tensor(**given)

    def sdpa(self, **given: Any) -> tuple[Tensor, ...]:
        return self._node(given, 2)

    def sdpa_backward(self, **given: Any) -> tuple[Tensor, ...]:
        return self._node(given, 3)

    def _node(self, given: dict[str, Any], outputs: int) -> tuple[Tensor, ...]:
        self.settings = given
        self.made = tuple(Tensor() for _ in range(outputs))
        return self.made

    def __getattr__(self, name: str) -> Any:
        assert name in ("validate", "build_operation_graph", "create_execution_plans", "check_support", "build_plans")
        return lambda *_: None

    def get_workspace_size(self) -> int:
        return 16

    def execute(self, buffers: dict[int, torch.Tensor], workspace: torch.Tensor, handle: object) -> None:
        assert workspace.numel() == 16
        given = self.settings
        assert given["use_causal_mask"] and given["use_padding_mask"]

        def seen(tensor: Tensor, sequence: int, length: int) -> torch.Tensor:
            """Return one sequence, shape (heads, length, width)."""
            begin = int(buffers[tensor.starts.uid].flatten()[sequence])  # type: ignore[union-attr]
            _, heads, _, width = tensor.dim
            flat = buffers[tensor.uid]
            return flat.as_strided((heads, length, width), tuple(tensor.stride[1:]), begin)

        for sequence, length in enumerate(buffers[given["seq_len_q"].uid].flatten().tolist()):
            if length == 0:
                continue
            q, k, v = (seen(given[name], sequence, length).clone().requires_grad_() for name in "qkv")
            with torch.enable_grad():
                out = functional.scaled_dot_product_attention(
                    q[None], k[None], v[None], is_causal=True, scale=given["attn_scale"], enable_gqa=True
                )[0]
            if "stats" not in given:
                seen(self.made[0], sequence, length).copy_(out.detach())
                seen(self.made[1], sequence, length).fill_(float(sequence))
                continue
            torch.testing.assert_close(seen(given["o"], sequence, length), out.detach())
            assert seen(given["stats"], sequence, length).eq(sequence).all()
            gradients = torch.autograd.grad(out, (q, k, v), seen(given["dO"], sequence, length))
            for tensor, gradient in zip(self.made, gradients, strict=True):
                seen(tensor, sequence, length).copy_(gradient)


@pytest.fixture
def fake_cudnn(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = SimpleNamespace(
        data_type=SimpleNamespace(FLOAT=1, BFLOAT16=2, INT32=3),
        heur_mode=SimpleNamespace(A=0),
        pygraph=Graph,
        create_handle=object,
        set_stream=lambda **_: None,
        cudnnGraphNotSupportedError=type("Refused", (Exception,), {}),
    )
    monkeypatch.setitem(sys.modules, "cudnn", fake)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))
    built.cache_clear()
    return fake


@pytest.mark.usefixtures("fake_cudnn")
def test_outputs_and_gradients_are_those_of_torch() -> None:
    torch.manual_seed(0)
    layout = layout_of(LENGTHS, "cpu")
    drawn = [torch.randn(sum(LENGTHS), heads, 8) for heads in (4, 2, 2)]
    attention = CudnnAttention(SIZES)
    assert attention.serves(layout, HEADS)
    results = []
    for attend in (attention, lambda q, k, v, at: packed_attention(q, k, v, at, at, HEADS)):
        inputs = [one.clone().requires_grad_() for one in drawn]
        out = attend(*inputs, layout)
        results.append(
            [out.detach(), *torch.autograd.grad(out, inputs, torch.arange(out.numel()).view_as(out).float())]
        )
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("fake_cudnn")
def test_a_decoder_attends_by_it_but_for_the_last_layer_and_what_it_does_not_serve() -> None:
    module = decoder("mistral").train()
    attention = built(sizes_of(module.config, LENGTHS, micro_rows=3, micro_tokens=None))
    assert attention is not None
    taken: list[tuple[int, ...]] = []
    forward = attention.forward
    attention.forward = lambda tensors, places: (taken.append(tensors["query"].shape), forward(tensors, places))  # type: ignore[method-assign,assign,func-returns-value]
    path = choose_forward(module, pad_token_id=0, device="cpu", attention=attention)
    usual = choose_forward(module, pad_token_id=0, device="cpu")
    torch.testing.assert_close(path.logits(rows(*LENGTHS)), usual.logits(rows(*LENGTHS)))
    assert taken == [(sum(LENGTHS), 4, 8)] * (module.config.num_hidden_layers - 1)
    too_long = rows(65, 2)
    torch.testing.assert_close(path.logits(too_long), usual.logits(too_long))
    assert len(taken) == module.config.num_hidden_layers - 1


@pytest.mark.parametrize(
    ("lengths", "heads"),
    [
        ((1, 1, 1, 1, 1), HEADS),
        ((65,), HEADS),
        ((30, 30, 30), HEADS),
        (LENGTHS, Heads(scaling=0.3, window=8)),
        (LENGTHS, Heads(scaling=0.2, window=None)),
    ],
    ids=["too many", "too long", "too many tokens", "a window hides some", "another scaling"],
)
@pytest.mark.usefixtures("fake_cudnn")
def test_what_is_not_served(lengths: tuple[int, ...], heads: Heads) -> None:
    assert not CudnnAttention(SIZES).serves(layout_of(lengths, "cpu"), heads)


def test_sizes_leave_room_for_the_filling_sequence() -> None:
    config = decoder("mistral").config
    sizes = sizes_of(config, [10, 70, 500, 20], micro_rows=2, micro_tokens=None)
    assert (sizes.sequences, sizes.longest, sizes.tokens) == (3, 512, 576)
    assert (sizes.query_heads, sizes.key_heads, sizes.width, sizes.scaling) == (4, 2, 8, 8**-0.5)
    assert sizes_of(config, [10, 70, 500, 20], micro_rows=4, micro_tokens=520).tokens == 576


def test_sums_have_an_order_where_it_is_cheap_or_asked_for(
    monkeypatch: pytest.MonkeyPatch, fake_cudnn: SimpleNamespace
) -> None:
    config = decoder("mistral").config
    cases = {"filled": [500] * 16, "long": [513] * 16, "one long among short ones": [500] + [20] * 63}

    def sizes(name: str) -> Sizes:
        return sizes_of(config, cases[name], micro_rows=len(cases[name]), micro_tokens=None)

    assert [sizes(name).ordered for name in cases] == [True, False, False]
    fake_cudnn.__spec__ = object()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert [unsupported_reason(sizes(name)) for name in cases] == [None, None, None]
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert [sizes(name).ordered for name in cases] == [True, True, True]
    assert [unsupported_reason(sizes(name)) is None for name in cases] == [True, False, False]


def test_obstacles_are_named(monkeypatch: pytest.MonkeyPatch, fake_cudnn: SimpleNamespace) -> None:
    fake_cudnn.__spec__ = object()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert unsupported_reason(SIZES) is None
    wide, roomy = (Sizes(**{**vars(SIZES), **more}) for more in ({"width": 256}, {"ordered": True}))
    assert "wider than 128" in str(unsupported_reason(wide))
    assert "fixed order" in str(unsupported_reason(roomy))
    assert "32 bits" in str(unsupported_reason(Sizes(**{**vars(SIZES), "tokens": 2**27})))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    assert "compute capability 9" in str(unsupported_reason(SIZES))
    monkeypatch.setitem(sys.modules, "cudnn", None)
    monkeypatch.setattr(cudnn_attention.importlib.util, "find_spec", lambda _: None)
    assert "not installed" in str(unsupported_reason(SIZES))


def test_it_is_built_beside_the_loading_of_large_networks_alone(
    monkeypatch: pytest.MonkeyPatch, fake_cudnn: SimpleNamespace
) -> None:
    monkeypatch.setattr(cudnn_attention, "unsupported_reason", lambda _: None)
    config = decoder("mistral").config
    asked = {"lengths": [5, 9], "micro_rows": 2, "micro_tokens": None}
    assert building_for(config, **asked) is None
    monkeypatch.setattr(cudnn_attention, "_WORTH_WEIGHTS", 1)
    building = building_for(config, **asked)
    assert building is not None
    attention = building.result(timeout=60)
    again = building_for(config, **asked)
    assert attention is not None
    assert again is not None
    assert again.result(timeout=60) is attention

    def refuse() -> None:
        raise fake_cudnn.cudnnGraphNotSupportedError

    built.cache_clear()
    fake_cudnn.create_handle = refuse
    refused = building_for(config, **asked)
    assert refused is not None
    assert refused.result(timeout=60) is None


def test_a_library_that_cannot_be_loaded_leaves_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudnn", None)
    built.cache_clear()
    assert cudnn_attention.start_building(SIZES).result(timeout=60) is None
