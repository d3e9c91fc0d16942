"""Which rows are answered together: the oldest always, little padding, never more than a batch may hold."""

import random

import pytest

from showdown.serving.batch import chosen, estimated_tokens


def test_rows_without_padding_go_in_the_order_of_their_arrival() -> None:
    assert chosen([10, 50, 10, 40, 5], most_tokens=100, most_rows=8, pads=False) == [0, 1, 2]
    assert chosen([10, 10, 10], most_tokens=100, most_rows=2, pads=False) == [0, 1]
    assert chosen([500, 1], most_tokens=100, most_rows=8, pads=False) == [0]


def test_rows_of_like_length_go_together_where_they_are_padded() -> None:
    assert chosen([10, 100, 11, 90, 9], most_tokens=1000, most_rows=8, pads=True) == [0, 2, 4]
    assert chosen([10, 10, 10], most_tokens=1000, most_rows=2, pads=True) == [0, 1]
    assert chosen([500, 500], most_tokens=100, most_rows=8, pads=True) == [0]


@pytest.mark.parametrize("pads", [True, False])
def test_every_choice_keeps_the_rules(pads: bool) -> None:
    draw = random.Random(0)
    for _ in range(300):
        tokens = [draw.randint(1, 200) for _ in range(draw.randint(1, 40))]
        most_tokens, most_rows = draw.randint(1, 1500), draw.randint(1, 20)
        places = chosen(tokens, most_tokens=most_tokens, most_rows=most_rows, pads=pads)
        of_batch = [tokens[place] for place in places]
        size = max(of_batch) * len(of_batch) if pads else sum(of_batch)
        assert places[0] == 0
        assert places == sorted(set(places))
        assert len(places) <= most_rows
        assert size <= most_tokens or len(places) == 1
        assert size - sum(of_batch) <= 0.2 * size


def test_all_rows_that_fit_go_at_once() -> None:
    assert len(chosen([60] * 50, most_tokens=10_000, most_rows=64, pads=True)) == 50
    assert len(chosen([60] * 50, most_tokens=10_000, most_rows=64, pads=False)) == 50


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("Eight years of ABAP, the last three on Fiori, and a love of plain words.", 12, 25), ("経験八年", 4, 8)],
)
def test_tokens_are_estimated_in_any_script(text: str, least: int, most: int) -> None:
    assert least <= estimated_tokens(text, None) <= most
    assert estimated_tokens(text * 1000, 64) == 64
