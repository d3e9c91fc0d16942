"""What the page looks up is what the rules say, for any limits."""

import random
from typing import Any

import pytest

from showdown.verdict.decisions import Choices, Decisions, decisions
from showdown.verdict.recommend import Beside, Candidate, Limits, leader_of, recommend


def random_rows(draw: random.Random) -> list[Candidate]:
    """Rows with gaps, ties and zeros, some of which were not shown to differ, or not compared."""
    names = [f"row-{place}" for place in range(draw.randint(1, 7))]
    rows = [
        Candidate(
            name=name,
            score=(score := draw.choice([0.9, 0.905, 0.85, draw.random()])),
            floor=draw.random() < 0.1,
            accuracy=score,
            f1_macro=draw.choice([0.0, 1.0, 0.8, draw.random()]),
            f1_macro_low=0.1,
            memory_gb=draw.choice([None, 4.0, draw.uniform(0.1, 80)]),
            cost=draw.choice([None, 0.0, draw.uniform(1e-5, 9)]),
            latency_ms=draw.choice([None, 0.0, draw.uniform(0.01, 500)]),
            train_seconds=draw.choice([None, 0.0, draw.uniform(1, 900)]),
            runs=5,
            diverged=draw.choice([0, 0, 0, 2]),
            cut_short=draw.random() < 0.2,
            beside={},
        )
        for name in names
    ]
    compared = draw.choice([1.0, 1.0, 0.95])
    for row in rows:
        row["beside"] |= {name: _beside(draw) for name in names if name != row["name"] and draw.random() < compared}
    return rows


def _beside(draw: random.Random) -> Beside:
    return Beside(
        standing=draw.choice(["non-inferior", "may be worse", "worse"]),
        margin=0.01,
        may_be_worse_by=draw.uniform(0.0, 0.1),
        p_of_lead=draw.random() / 5,
        different=draw.random() < 0.5,
    )


def random_limits(draw: random.Random, found: Decisions) -> dict[str, float]:
    """Limits at measured values, between them, and beyond them all."""
    limits = {}
    for criterion in found.criteria:
        if draw.random() < 0.6:
            known = [value for value in criterion.values if value] or [0.5]
            value = draw.choice([draw.choice(known), draw.choice(known) * draw.uniform(0.2, 4), *criterion.stops[:1]])
            limits[criterion.limit] = min(1.0, value) if criterion.least else value
    return limits


Looked = tuple[str | None, str, list[str], list[str]]


def looked_up(whole: Decisions, found: Choices, limits: dict[str, float]) -> Looked:
    kept, limited = (1 << len(whole.rows)) - 1, 0
    for turn, criterion in enumerate(whole.criteria):
        if criterion.limit in limits:
            limit, limited = limits[criterion.limit], limited | 1 << turn
            for place, value in enumerate(criterion.values):
                if value is None or (value < limit if criterion.least else value > limit):
                    kept &= ~(1 << place)
    if not kept:
        return None, "", [], []
    pair = found.choices[str(kept)]
    return found.pairs[pair][0], found.sentences[pair], found.reasons[f"{pair}:{limited}"], found.warnings[pair]


@pytest.mark.parametrize("chance", range(12))
def test_every_limit_leads_to_what_the_rules_say(chance: int) -> None:
    draw = random.Random(chance)
    rows = random_rows(draw)
    whole = decisions({1.0: rows, 2.0: rows}, margin=1.0)
    found = whole.at_margin[whole.margin]
    assert whole.margins == [1.0, 2.0]
    for _ in range(150):
        limits = random_limits(draw, whole)
        told = recommend(rows, Limits.model_validate(limits))
        if told.nearest:
            assert looked_up(whole, found, limits)[0] is None
            assert whole.none_qualifies[whole.rows.index(told.nearest)] == told.sentence
        else:
            assert looked_up(whole, found, limits) == (told.chosen, told.sentence, told.reasons, told.warnings)


def test_stops_reach_every_measured_value() -> None:
    rows = random_rows(random.Random(5))
    for criterion in decisions({1.0: rows}, margin=1.0).criteria:
        known = [value for value in criterion.values if value]
        rising = sorted(criterion.stops)
        assert rising == (criterion.stops if not criterion.least else criterion.stops[::-1])
        for value in known:
            keeping = [stop for stop in rising if (value >= stop if criterion.least else value <= stop)]
            assert keeping
            if not criterion.least:
                assert keeping[0] <= value * 1.01  # the strictest limit that the row keeps to is a stop
    criteria = decisions({1.0: rows}, margin=1.0).criteria
    assert [one.word for one in criteria] == ["memory", "cost", "macro F1", "latency"]


def test_no_rows_have_no_choices() -> None:
    found = decisions({1.0: []}, margin=1.0)
    assert (found.rows, found.at_margin[0].choices, found.at_margin[0].pairs) == ([], {}, [])


def test_the_leader_has_the_highest_score() -> None:
    rows: Any = [{"name": "a", "score": 0.5, "f1_macro": 0.4}, {"name": "b", "score": 0.5, "f1_macro": 0.6}]
    assert leader_of(rows)["name"] == "b"
