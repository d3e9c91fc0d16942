"""The checksum of a loaded network: what changes it, and what does not."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from showdown.models.checksum import checksum, word_sums


def network() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3).to(torch.bfloat16))
    module.register_buffer("steps", torch.arange(3), persistent=False)
    return module


def lowest_bit(module: nn.Module) -> None:
    module.get_parameter("2.weight").data.view(torch.int16)[1, 4] ^= 1


def two_swapped(module: nn.Module) -> None:
    weight = module.get_parameter("0.weight").data.view(-1)
    weight[[0, 34]] = weight[[34, 0]]


def another_buffer(module: nn.Module) -> None:
    module.get_buffer("steps")[2] = 7


def another_type(module: nn.Module) -> None:
    module[1].to(torch.float64)  # type: ignore[index]


@pytest.mark.parametrize("change", [lowest_bit, two_swapped, another_buffer, another_type])
def test_every_change_shows(change: Callable[[nn.Module], None]) -> None:
    changed = network()
    assert checksum(changed) == checksum(network())
    change(changed)
    assert checksum(changed) != checksum(network())


def test_parameters_that_are_left_out_may_differ() -> None:
    changed = network()
    changed.get_parameter("0.bias").data.zero_()
    assert checksum(changed, ["0.bias"]) == checksum(network(), ["0.bias"])
    assert checksum(changed, ["0.weight"]) != checksum(network(), ["0.weight"])


def summed(numbers: torch.Tensor) -> list[int]:
    return [int(one) for one in word_sums(numbers.view(-1).view(torch.uint8))]


def test_sums_of_words_show_a_bit_and_words_that_change_places() -> None:
    """What a GPU computes."""
    numbers = torch.arange(64, dtype=torch.float32)
    bit, places = numbers.clone(), numbers.clone()
    bit.view(torch.int32)[63] ^= 1
    places[[0, 1, 6, 7]] = places[[6, 7, 0, 1]]
    assert len({tuple(summed(one)) for one in (numbers, bit, places)}) == 3


def test_words_need_not_begin_where_memory_does_nor_end_there() -> None:
    numbers = torch.arange(10, dtype=torch.int16)
    assert summed(numbers[3:]) == summed(numbers[3:].clone())
    assert summed(numbers[3:]) != summed(numbers[3:9])


@pytest.mark.long
def test_scales_of_four_bits_count() -> None:
    from bitsandbytes.nn import Linear4bit, Params4bit

    layer = Linear4bit(64, 64, bias=False)
    layer.weight = Params4bit(torch.randn(64, 64), requires_grad=False).to("cpu")
    before = checksum(layer)
    layer.weight.quant_state.absmax[3] ^= 1
    assert checksum(layer) != before
