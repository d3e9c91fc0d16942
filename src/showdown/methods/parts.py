"""Parts of a network by role, and how many parameters they have."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from showdown.core.errors import Unavailable, UserError, suggestion, then
from showdown.core.network import NetworkParts

if TYPE_CHECKING:
    from torch import nn

Role = Literal["query", "key", "value", "attention output", "feed-forward input", "feed-forward output"]
_ATTENTION: dict[str, tuple[Role, ...]] = {
    **dict.fromkeys(("q_proj", "query", "query_proj", "q_lin", "q"), ("query",)),
    **dict.fromkeys(("k_proj", "key", "key_proj", "k_lin", "k"), ("key",)),
    **dict.fromkeys(("v_proj", "value", "value_proj", "v_lin", "v"), ("value",)),
    **dict.fromkeys(("Wqkv", "query_key_value", "qkv_proj", "c_attn"), ("query", "key", "value")),
    **dict.fromkeys(("o_proj", "out_proj", "out_lin", "o"), ("attention output",)),
}
_FEED_FORWARD: dict[str, tuple[Role, ...]] = {
    **dict.fromkeys(("gate_proj", "up_proj", "gate_up_proj", "Wi", "lin1", "fc1", "c_fc"), ("feed-forward input",)),
    **dict.fromkeys(("wi", "wi_0", "wi_1", "dense_h_to_4h"), ("feed-forward input",)),
    **dict.fromkeys(("down_proj", "lin2", "fc2", "wo", "dense_4h_to_h"), ("feed-forward output",)),
}
_IN_EITHER = ("dense", "Wo", "c_proj")
"""Names that attention and feed-forward layers share: the module around them tells which it is."""


def roles_of(name: str) -> tuple[Role, ...]:
    """Return what a linear layer does, read from its name; several where matrices are fused, none where unknown.

    Args:
        name: as in `NetworkParts.linear_names`, such as `bert.encoder.layer.0.attention.self.key`.

    """
    *around, last = name.split(".")
    known = _ATTENTION.get(last) or _FEED_FORWARD.get(last)
    if known or last not in _IN_EITHER:
        return known or ()
    if any("attn" in part or "attention" in part.lower() for part in around):
        return ("attention output",)
    return ("feed-forward input",) if around[-1:] == ["intermediate"] else ("feed-forward output",)


def with_role(names: Iterable[str], *roles: Role) -> list[str]:
    """Return the linear layers that have one of these roles, in their order."""
    return [name for name in names if set(roles) & set(roles_of(name))]


def linear_targets(linear_names: Sequence[str], targets: Literal["all-linear"] | Sequence[str]) -> list[str]:
    """Return the linear layers that adapters go to.

    Args:
        linear_names: as in `NetworkParts`.
        targets: all of them, or the last parts of their names.

    Raises:
        UserError: when a target names no linear layer.
        Unavailable: when the backbone has no linear layers.

    """
    if not linear_names:
        raise Unavailable(
            "this model keeps its layers in a form that adapters do not go to; "
            "use full, or an encoder or decoder with linear layers (BERT, RoBERTa, Llama, Mistral, Qwen, Gemma)"
        )
    if targets == "all-linear":
        return list(linear_names)
    endings = {name.rpartition(".")[2] for name in linear_names}
    for target in targets:
        if target not in endings:
            raise UserError(
                f"`targets` names `{target}`, which is no linear layer of this model"
                f"{then(suggestion(target, endings), 'it has ' + ', '.join(sorted(endings)))}"
            )
    return [name for name in linear_names if name.rpartition(".")[2] in targets]


def layer_number(name: str) -> int:
    """Return the number of the backbone's layer that a module is in, from 0 at the input; -1 where it is in none.

    Args:
        name: as in `NetworkParts.linear_names`; the first number in it is the layer's.

    """
    return next((int(part) for part in name.split(".") if part.isdecimal()), -1)


def widths(linear: Any) -> tuple[int, int]:
    """Return the input and the output width of a linear layer: `nn.Linear`, its 4-bit form, or GPT-2's `Conv1D`."""
    if hasattr(linear, "in_features"):
        return int(linear.in_features), int(linear.out_features)
    inputs, outputs = linear.weight.shape
    return int(inputs), int(outputs)


def learning_parameters(network: NetworkParts, names: Iterable[str]) -> "dict[str, nn.Parameter]":
    """Return the parameters inside these modules by name, but for parts that no text goes through."""
    inside, idle = _inside(names), _inside(network.idle_names)
    return {
        name: value
        for name, value in network.module.named_parameters()
        if name.startswith(inside) and not name.startswith(idle)
    }


def head_parameters(network: NetworkParts) -> int:
    """Return how many parameters the head has."""
    return sum(value.numel() for value in learning_parameters(network, network.head_names).values())


def _inside(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}." for name in names)
