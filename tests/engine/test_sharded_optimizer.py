"""Each process steps its rows of the weights, and sends them and their gradients in the order that others expect."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from showdown.engine.parallel.group import Group
from showdown.engine.parallel.sharded_optimizer import ShardedOptimizerSpread


class Recorded(Group):
    """One of two processes: notes what it would send, and what it then waited for."""

    def __init__(self, rank: int = 0) -> None:
        super().__init__(rank, 2)
        self.sent: list[tuple[str, list[torch.Size]]] = []
        self.waited: list[int] = []

    def _note(self, what: str, tensors: Sequence[torch.Tensor]) -> Callable[[], None]:
        self.sent.append((what, [tensor.shape for tensor in tensors]))
        number = len(self.sent)
        return lambda: self.waited.append(number)

    def begin_adding_rows(self, tensors: Sequence[torch.Tensor]) -> Callable[[], None]:
        return self._note("add", tensors)

    def begin_gathering_rows(self, tensors: Sequence[torch.Tensor]) -> Callable[[], None]:
        return self._note("gather", tensors)

    def add_(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor


def network() -> nn.Module:
    """An embedding, two layers, and a head with an odd number of rows."""
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "embedding": nn.Linear(4, 8, bias=False),
            "first": nn.Linear(8, 6),
            "second": nn.Linear(6, 4),
            "head": nn.Linear(4, 3),
        }
    )


def layers_of(module: nn.Module) -> list[nn.Module]:
    return [module.get_submodule("first"), module.get_submodule("second")]


def spread_of(rank: int = 0) -> tuple[nn.Module, ShardedOptimizerSpread, Recorded]:
    module, group = network(), Recorded(rank)
    return module, ShardedOptimizerSpread(group, module, layers_of(module)), group


def test_matrices_with_an_even_number_of_rows_are_stepped_in_parts_of_the_weight_itself() -> None:
    module, spread, _ = spread_of(rank=1)
    assert spread.divided == {"embedding.weight", "first.weight", "second.weight"}
    assert list(spread.parameters) == [name for name, _ in module.named_parameters()]
    with torch.no_grad():
        spread.parameters["first.weight"].fill_(7.0)
    weight = module.get_parameter("first.weight")
    assert torch.equal(weight[3:], torch.full((3, 8), 7.0))
    assert not (weight[:3] == 7.0).any()


def test_copies_are_rounded_alike_and_parts_are_not() -> None:
    (_, first, _), (_, other, _) = spread_of(0), spread_of(1)
    same = {name for name, place in first.places.items() if other.places[name] == place}
    assert same == set(first.parameters) - first.divided
    assert len({*first.places.values(), *other.places.values()}) == 2 * len(first.divided) + len(same)


def test_gradients_travel_in_the_last_pass_in_one_order_whichever_is_complete_first() -> None:
    module, spread, group = spread_of()
    orders = (["head", "second", "first", "embedding"], ["first", "embedding", "second", "head"])
    for names in orders:
        group.sent.clear()
        for last in (False, True):
            spread.begin_pass(last=last)
            for name in names:
                module.get_submodule(name)(
                    torch.ones(1, module.get_parameter(f"{name}.weight").shape[1])
                ).sum().backward()
            assert not (group.sent and not last)
        spread.settle()
        assert group.sent == [
            ("add", [torch.Size((4, 6))]),
            ("add", [torch.Size((6, 8))]),
            ("add", [torch.Size((8, 4))]),
        ]
        spread.changed()


def test_a_step_has_the_gradient_of_its_rows_and_drops_the_whole_one_afterwards() -> None:
    module, spread, group = spread_of(rank=1)
    spread.begin_pass(last=True)
    module.get_submodule("first")(torch.arange(8.0)[None]).sum().backward()
    spread.settle()
    assert group.waited == [1, 2, 3]
    part, whole = spread.parameters["first.weight"], module.get_parameter("first.weight")
    assert part.grad is not None
    assert whole.grad is not None
    assert torch.equal(part.grad, whole.grad[3:])
    assert spread.parameters["second.weight"].grad is None
    spread.changed()
    assert whole.grad is None


def test_a_layer_waits_for_the_rows_of_others_once() -> None:
    _, spread, group = spread_of()
    spread.changed()
    assert [what for what, _ in group.sent] == ["gather"] * 3
    assert spread.call(group.waited.copy) == [1]
    assert spread.units[1](lambda number: (number, group.waited.copy()), 5) == (5, [1, 3])
    spread.rest()
    spread.rest()
    assert group.waited == [1, 3, 2]
