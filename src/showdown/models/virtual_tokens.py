"""Virtual tokens in a network: ids behind its vocabulary, whose vectors are learned.

A row with virtual tokens is an ordinary row, so that every forward path computes positions, masks, packs and cached
keys as it always does. What a module gives for a virtual token is learned: its embedding (prompt tuning), or its keys
and values in every layer (prefix tuning). With all keys and values given, what the network computes at a virtual token
is read by nothing, and every other token attends to learned keys and values beside those of the text.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

INNER = "inner"
"""The name of the module inside another; not PEFT's `base_layer`, by which the engine knows adapters."""


class Learned(nn.Module):
    """A module of the network that gives learned vectors for virtual tokens, and its own for all others."""

    def __init__(self, inner: nn.Module, virtual: nn.Parameter | None) -> None:
        """Surround a module.

        Args:
            inner: of the network.
            virtual: shape (virtual tokens, width of the module's output); None where a subclass makes them.

        """
        super().__init__()
        self.inner = inner
        self.virtual = virtual

    @property
    def weight(self) -> Any:
        """The weight of the module inside."""
        return self.inner.weight

    def values(self) -> torch.Tensor | None:
        """Return the learned vectors, shape (virtual tokens, width); None where virtual tokens have none here."""
        return self.virtual

    def replaced(self, found: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the module's output with learned vectors in it.

        Args:
            found: the output, shape (..., width).
            places: of each token its number among the virtual tokens, below zero for all others: shape (...).

        """
        values = self.values()
        if values is None:
            return found
        learned = functional.embedding(places.clamp(min=0), values).to(found.dtype)
        return torch.where((places >= 0).unsqueeze(-1), learned, found)


class VirtualEmbedding(Learned):
    """The input embedding. It tells the other modules which tokens of the pass are virtual ones."""

    def __init__(self, inner: nn.Module, virtual: nn.Parameter | None, *, count: int, behind: bool) -> None:
        """Surround the network's embedding.

        Args:
            inner: the embedding.
            virtual: as in `Learned`; None where the embedding of a virtual token does not matter.
            count: how many virtual tokens there are.
            behind: whether they stand behind the text, or before it.

        """
        super().__init__(inner, virtual)
        self.count, self.behind = count, behind
        self.places = torch.empty(0, dtype=torch.int64)
        """Of the tokens of the latest pass, as `Learned.replaced` takes them."""

    def ids(self) -> list[int]:
        """Return the ids of the virtual tokens."""
        first = int(self.weight.shape[0])
        return list(range(first, first + self.count))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of token ids, shape (..., width)."""
        self.places = ids - self.weight.shape[0]
        return self.replaced(self.inner(ids.masked_fill(self.places >= 0, 0)), self.places)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the embedding inside, such as Gemma's scale."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__(INNER), name)


class Reparametrisation(nn.Module):
    """What makes the keys and values of all layers from one vector for each virtual token, with one layer between."""

    def __init__(self, count: int, inner: int, outputs: int) -> None:
        """Make it: its output is zero at first.

        Args:
            count: virtual tokens.
            inner: width of the vectors and of the layer between.
            outputs: width of the keys and values of all layers together.

        """
        super().__init__()
        self.words = nn.Parameter(torch.randn(count, inner) * inner**-0.5)
        self.into, self.out = nn.Linear(inner, inner), nn.Linear(inner, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def part(self, columns: slice) -> torch.Tensor:
        """Return some columns of the output. Each layer computes its own, so that a layer can be computed again."""
        inner = torch.tanh(self.into(self.words))
        return functional.linear(inner, self.out.weight[columns], self.out.bias[columns])


class VirtualLinear(Learned):
    """A linear layer that makes keys or values."""

    def __init__(self, inner: nn.Module, virtual: nn.Parameter | None, embedding: VirtualEmbedding) -> None:
        """Surround a layer; `embedding` knows which tokens are virtual."""
        super().__init__(inner, virtual)
        self._elsewhere: tuple[Any, ...] = (embedding,)  # no child: its parameters are the network's already
        self.columns = slice(0, 0)

    def made_by(self, reparametrisation: Reparametrisation, start: torch.Tensor, columns: slice) -> None:
        """Take the learned vectors from elsewhere: `start`, which does not learn, and these columns of the output."""
        self.register_buffer("start", start, persistent=False)
        self._elsewhere, self.columns = (self._elsewhere[0], reparametrisation), columns

    def values(self) -> torch.Tensor | None:
        """Return the learned keys or values, shape (virtual tokens, width)."""
        if len(self._elsewhere) == 1:
            return self.virtual
        start: Any = self.start
        made: torch.Tensor = start + self._elsewhere[1].part(self.columns)
        return made

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return keys or values for hidden states of shape (..., width)."""
        return self.replaced(self.inner(hidden), self._elsewhere[0].places.view(hidden.shape[:-1]))


def learned_modules(module: nn.Module) -> Iterator[tuple[str, Learned]]:
    """Yield the modules of a network that give learned vectors, by name."""
    yield from ((name, child) for name, child in module.named_modules() if isinstance(child, Learned))


def virtual_embedding(module: nn.Module) -> VirtualEmbedding | None:
    """Return a network's embedding with virtual tokens; None where it has none."""
    return next((child for _, child in learned_modules(module) if isinstance(child, VirtualEmbedding)), None)


def virtual_tokens(module: nn.Module) -> int:
    """Return how many virtual tokens a network puts to every row."""
    found = virtual_embedding(module)
    return found.count if found else 0


def keys_and_values(module: nn.Module, names: Sequence[str], ids: torch.Tensor) -> list[torch.Tensor]:
    """Return what some layers of a network give for a text, each of shape (tokens, width), in float32.

    Args:
        module: the network.
        names: of the layers.
        ids: the text's token ids, shape (tokens,).

    """
    found: dict[str, torch.Tensor] = {}

    def hook(name: str) -> Any:
        return module.get_submodule(name).register_forward_hook(
            lambda _, __, output: found.__setitem__(name, output.detach().float().reshape(len(ids), -1))
        )

    training, handles = module.training, [hook(name) for name in names]
    try:
        with torch.no_grad():
            module.eval()(input_ids=ids[None], attention_mask=torch.ones_like(ids[None]))
    finally:
        for handle in handles:
            handle.remove()
        module.train(training)
    return [found[name].clone() for name in names]
