"""`showdown init` changes a comparison until it fits memory and time: the mildest first, the same for all rows."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from forecasts import about, arm, device, forecast
from showdown.core.spec import Comparison, TuningSpec
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.start.draft import Draft
from showdown.start.look import Look
from showdown.start.of_machine import fitting

HOUR = 3600.0
METHODS = ("majority", "tfidf", "full", "lora", "qlora")
TRAINED = ("full", "lora", "qlora", "few-shot")


def asked(*methods: str, **more: Any) -> Draft:
    return Draft(comparison=Comparison.model_validate({"methods": {name: {} for name in methods or METHODS}, **more}))


class Machine:
    """A machine on which a trained row of 512 tokens, over a row of the data and an epoch, takes a known time."""

    def __init__(
        self,
        *,
        seconds_a_row: float = 0.0,
        rows: int = 1000,
        split: Any = None,
        needs_gb: dict[str, float] | None = None,
        lean: float = 1.0,
        slow: str = "",
        fixed: float = 0.0,
        unavailable: str = "",
    ) -> None:
        self.seconds_a_row, self.all_rows, self.split = seconds_a_row, rows, split or KFoldSplit()
        self.needs_gb, self.lean, self.slow, self.unavailable = needs_gb or {}, lean, slow, unavailable
        self.fixed = fixed
        self.looked: list[Comparison] = []

    def __call__(self, comparison: Comparison) -> Look:
        self.looked.append(comparison)
        protocol = comparison.protocol
        split = self.split if protocol.split.kind == "auto" else protocol.split
        rows = min(self.all_rows, comparison.data.limit or self.all_rows)
        folds = split.folds if isinstance(split, KFoldSplit) else 1
        each = self.seconds_a_row * rows * protocol.max_tokens / 512 * min(20, protocol.epochs) / 20
        arms = []
        for name in comparison.methods:
            if name == self.unavailable:
                arms.append(arm(name, runs=0, seconds={"training": 0.0}, notes=["no such layer"]))
            elif name in TRAINED:
                peak = self.needs_gb.get(name, 1.0) * (self.lean if protocol.memory == "lean" else 1.0)
                fixes = ["`memory: lean`: 1 GB"] if self.needs_gb.get(name, 1.0) * self.lean <= 16 else []
                took = each * (50 if name == self.slow else 1)
                arms.append(
                    arm(
                        name,
                        runs=folds,
                        peak_gb=peak,
                        fits=peak <= 16,
                        fixes=fixes,
                        seconds={"saving": self.fixed, "training": took},
                    )
                )
            else:
                arms.append(arm(name, runs=folds, seconds={"training": 1.0}))
        whole = sum(one.runs * seconds.expected for one in arms for seconds in one.seconds.values())
        settled = comparison.model_copy(update={"seeds": [0], "protocol": protocol.model_copy(update={"tuning": None})})
        kept: Any = SimpleNamespace(
            rows=SimpleNamespace(
                row_ids=range(rows),
                duplicate_groups=range(rows),
                noun="text",
                left_out=[SimpleNamespace(rows=range(self.all_rows - rows), requested=True)],
            ),
            labels=["a", "b"],
        )
        ready: Any = SimpleNamespace(comparison=settled, split=split)
        on = device(kind="cpu", memory_gb=16.0)
        return Look(ready=ready, prepared=kept, forecast=forecast(*arms, on=on, seconds=about(whole)))


def fitted(draft: Draft, machine: Machine, hours: float = 1.0) -> tuple[Draft, Look]:
    return fitting(draft, machine, hours * HOUR)


def test_what_fits_stays_and_auto_becomes_what_it_stood_for() -> None:
    draft, _ = fitted(asked(), machine := Machine(seconds_a_row=0.1))
    comparison = draft.comparison
    assert (comparison.protocol.split, comparison.protocol.tuning, comparison.seeds) == (KFoldSplit(), None, [0])
    assert list(comparison.methods) == list(METHODS)
    assert (comparison.data.limit, comparison.protocol.max_tokens, comparison.protocol.memory) == (None, 512, "speed")
    assert draft.shown == ("protocol.split", "protocol.tuning", "seeds")
    assert len(machine.looked) == 1, "a forecast takes seconds"
    assert "copies of a text stay together" in draft.why["protocol.split"]


def test_what_the_user_named_is_not_chosen() -> None:
    draft, _ = fitted(asked(protocol={"tuning": {"trials": 6}, "split": {"kind": "single"}}, seeds=[1, 2]), Machine())
    assert draft.comparison.protocol.tuning == TuningSpec(trials=6)
    assert draft.comparison.seeds == [1, 2]
    assert draft.shown == ()


@pytest.mark.parametrize(
    ("seconds_a_row", "tokens", "split", "limit"),
    [
        (0.3, 256, KFoldSplit(), None),
        (0.7, 128, KFoldSplit(), None),
        (1.2, 128, KFoldSplit(folds=3), None),
        (2.5, 64, KFoldSplit(folds=3), None),
        (5.0, 96, SingleSplit(), None),
        (20.0, 64, SingleSplit(), 400),
    ],
)
def test_the_mildest_changes_come_first(seconds_a_row: float, tokens: int, split: Any, limit: int | None) -> None:
    draft, look = fitted(asked(), Machine(seconds_a_row=seconds_a_row))
    protocol = draft.comparison.protocol
    assert (protocol.max_tokens, protocol.split, draft.comparison.data.limit) == (tokens, split, limit)
    assert look.forecast.seconds.expected <= HOUR
    assert not draft.left_out
    for key in draft.shown:
        assert draft.why[key], "each choice has its reason"


def test_more_time_buys_more() -> None:
    short, _ = fitted(asked(), Machine(seconds_a_row=20.0), hours=1.0)
    long, _ = fitted(asked(), Machine(seconds_a_row=20.0), hours=8.0)
    assert short.comparison.data.limit is not None
    assert long.comparison.data.limit is None


def test_a_model_that_writes_is_trained_for_fewer_epochs_and_its_prompts_are_whole() -> None:
    draft, _ = fitted(
        asked("most-common", "full", "lora", task="generation"), Machine(seconds_a_row=5.0, split=SingleSplit())
    )
    assert draft.comparison.protocol.epochs == 3
    assert draft.comparison.protocol.max_tokens == 512


def test_the_slowest_methods_are_left_out_last_and_cheap_ones_never() -> None:
    draft, look = fitted(asked(), Machine(seconds_a_row=60.0, slow="full"))
    assert list(draft.left_out) == ["full"]
    assert "by itself, too long even where all is made shorter" in draft.left_out["full"]
    assert look.forecast.seconds.expected <= HOUR
    assert draft.comparison.data.limit == 200, "as short as the others need it, and no shorter for the one left out"
    hopeless, _ = fitted(asked(), Machine(seconds_a_row=1e6))
    assert list(hopeless.comparison.methods) == ["majority", "tfidf"]


def test_lean_memory_is_taken_for_all_where_it_makes_a_method_fit() -> None:
    draft, _ = fitted(asked(), Machine(needs_gb={"full": 30.0}, lean=0.5))
    assert draft.comparison.protocol.memory == "lean"
    assert "`speed` does not fit for full" in draft.why["protocol.memory"]
    assert not draft.left_out


def test_what_does_not_fit_at_all_is_left_out_with_what_it_needs() -> None:
    draft, look = fitted(asked(), Machine(needs_gb={"full": 117.0, "lora": 30.0}, lean=0.5))
    assert list(draft.left_out) == ["full"]
    assert "needs about 117 GB" in draft.left_out["full"]
    assert "there are 16 here" in draft.left_out["full"]
    assert [one.name for one in look.forecast.arms] == ["majority", "tfidf", "lora", "qlora"]


def test_what_cannot_work_on_the_network_is_left_out_with_the_reason() -> None:
    draft, _ = fitted(asked(), Machine(unavailable="qlora"))
    assert draft.left_out == {"qlora": "no such layer"}


def test_where_runs_themselves_take_long_there_are_fewer_of_them_and_no_row_is_lost() -> None:
    """A large network is loaded and saved in minutes, whatever it reads."""
    draft, look = fitted(asked(), Machine(seconds_a_row=0.1, fixed=400.0))
    assert draft.comparison.protocol.split == SingleSplit()
    assert (draft.comparison.data.limit, draft.left_out) == (None, {})
    assert draft.comparison.protocol.max_tokens == 512
    assert look.forecast.seconds.expected <= HOUR
    crowded, _ = fitted(asked(), Machine(seconds_a_row=0.1, fixed=1500.0))
    assert len(crowded.left_out) == 1, "no more than have to be left out"


def test_what_was_taken_away_too_much_comes_back_folds_before_tokens() -> None:
    """Texts that are far shorter than the limit gain nothing from a lower one, so that estimates take too much away."""
    machine = Machine(seconds_a_row=1.2, rows=1000)
    draft, look = fitted(asked(), machine)
    assert (draft.comparison.protocol.max_tokens, draft.comparison.protocol.split) == (128, KFoldSplit(folds=3))

    class ShortTexts(Machine):
        """All texts have 60 tokens."""

        def __call__(self, comparison: Comparison) -> Look:
            most = min(60, comparison.protocol.max_tokens)
            protocol = comparison.protocol.model_copy(update={"max_tokens": most})
            found = super().__call__(comparison.model_copy(update={"protocol": protocol}))
            self.looked[-1] = comparison
            return found

    short = ShortTexts(seconds_a_row=3.2, rows=1000)
    draft, look = fitted(asked(), short)
    assert draft.comparison.protocol.split == KFoldSplit(folds=3)
    assert draft.why["protocol.split"].startswith("3 folds, for time")
    assert HOUR / 2 < look.forecast.seconds.expected <= HOUR
    assert len(short.looked) <= 4


def test_what_the_user_set_stays_whatever_it_takes() -> None:
    keys = frozenset({"protocol.max_tokens", "protocol.split.kind", "protocol.memory"})
    given = asked(protocol={"max_tokens": 512, "split": {"kind": "kfold"}})
    draft, look = fitted(
        replace(given, named=keys), Machine(seconds_a_row=5.0, needs_gb={"full": 30.0}, lean=0.5), hours=2.0
    )
    protocol = draft.comparison.protocol
    assert (protocol.max_tokens, protocol.split, protocol.memory) == (512, KFoldSplit(), "speed")
    assert draft.comparison.data.limit is not None
    assert look.forecast.seconds.expected <= 2 * HOUR
    assert list(draft.left_out) == ["full"], "lean would have made it fit"
