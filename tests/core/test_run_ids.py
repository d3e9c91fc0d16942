"""A run's identity: runs of earlier versions keep theirs when settings are added."""

from typing import Any

import pytest

from showdown.core.spec import Comparison, ModelSpec, RunSpec, SharedProtocol
from showdown.core.split import SingleSplit
from showdown.core.strict import Strict, added_later, identity_of
from showdown.runner.plan import plan
from showdown.runner.prepared import Ready

PINNED = ModelSpec(
    id="all-minilm-l6-v2", revision="sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
)
FINGERPRINT = "ca96b4343a874e9d52e8c37acbbae59b9ccae574bc9f11069e3a4d176c03413b"
SPLIT = SingleSplit(train=0.55, validation=0.15, test=0.3)
OLD_PROTOCOL = {
    "split": {"seed": 42, "train": 0.55, "validation": 0.15, "test": 0.3, "kind": "single"},
    "tuning": None,
    "epochs": 50,
    "patience_epochs": 3,
    "max_seconds": None,
    "max_cost": None,
    "price_per_hour": None,
    "effective_batch_rows": 4,
    "micro_batch_rows": None,
    "memory": "speed",
    "match_memory": True,
    "moments_on_host": False,
    "weight_rounding": "auto",
    "max_tokens": 64,
    "warmup_fraction": 0.1,
    "warmup_steps": None,
    "weight_decay": 0.01,
    "max_gradient_norm": 1.0,
    "dropout": 0.0,
    "select_epoch": "best",
    "precision": "auto",
    "deterministic": False,
    "checkpoint_every_steps": None,
}
NO_RATE = {"learning_rate": None, "learning_rate_range": None}
ADAPTERS = NO_RATE | {"rank": 8, "alpha": 16.0, "adapter_dropout": 0.0, "targets": "all-linear"}
OLD_RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "majority-s0-p0-8922b53123": ({}, "text"),
    "tfidf-s0-p0-a4704be352": ({"longest_ngram": 2, "regularisation": 1.0}, "text"),
    "zero-shot-s0-p0-c79a2ca095": ({"model": None, "template": "Resume of a {label}"}, "network"),
    "frozen-s0-p0-6032ef01ca": ({"regularisation": 10.0}, "network"),
    "full-s0-p0-aa6d29799b": (NO_RATE, "training"),
    "lora-s0-p0-6f54f8b804": (ADAPTERS, "training"),
    "qlora-s0-p0-01bd551b8e": (ADAPTERS, "training"),
}
"""Runs of `comparisons/quickstart.yaml` as an earlier version wrote them: id, settings, what the method needs."""


@pytest.mark.parametrize("run_id", OLD_RUNS)
def test_a_spec_of_an_earlier_version_keeps_its_id(run_id: str) -> None:
    settings, needs = OLD_RUNS[run_id]
    name = run_id.partition("-s0-")[0]
    written = {
        "name": name,
        "method": name,
        "settings": settings,
        "model": PINNED.model_dump(),
        "protocol": OLD_PROTOCOL,
        "seed": 0,
        "partition": 0,
        "train_fraction": 1.0,
        "data_fingerprint": FINGERPRINT,
        "needs": needs,
    }
    assert RunSpec.model_validate(written).run_id == run_id


def test_the_plan_of_the_same_comparison_has_the_same_ids() -> None:
    """What the methods declare today, defaults filled in, is what earlier versions hashed."""
    comparison = Comparison.model_validate(
        {
            "methods": {name.partition("-s0-")[0]: {} for name in OLD_RUNS}
            | {"zero-shot": {"template": "Resume of a {label}"}},
            "protocol": {"effective_batch_rows": 4, "max_tokens": 64, "dropout": 0.0, "tuning": None},
            "seeds": [0],
        }
    )
    ready = Ready.model_construct(comparison=comparison, fingerprint=FINGERPRINT, split=SPLIT, partitions=1)
    assert {spec.run_id for spec in plan(ready, PINNED)} == set(OLD_RUNS)


class Inner(Strict):
    old: int = 1
    new: float = added_later(0.0, ge=0.0)


class Outer(Strict):
    inner: Inner = Inner()
    nothing: Inner | None = None
    fresh: list[str] = added_later([])


def test_a_key_that_was_added_later_counts_where_it_is_set() -> None:
    assert identity_of(Outer()) == {"inner": {"old": 1}, "nothing": None}
    assert identity_of(Outer(inner=Inner(new=0.5), nothing=Inner(old=2), fresh=["a"])) == {
        "inner": {"old": 1, "new": 0.5},
        "nothing": {"old": 2},
        "fresh": ["a"],
    }
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Inner(new=-1.0)


@pytest.mark.parametrize(("smoothing", "same"), [(None, True), (0.0, True), (0.1, False)])
def test_label_smoothing_counts_where_it_is_set(smoothing: float | None, same: bool) -> None:
    written = OLD_PROTOCOL if smoothing is None else OLD_PROTOCOL | {"label_smoothing": smoothing}
    found = RunSpec(
        name="full",
        method="full",
        settings=NO_RATE,
        model=PINNED,
        protocol=SharedProtocol.model_validate(written),
        seed=0,
        data_fingerprint=FINGERPRINT,
    )
    assert (found.run_id == "full-s0-p0-aa6d29799b") == same


class LaterProtocol(SharedProtocol):
    smoothing: float = added_later(0.0)


class LaterSpec(RunSpec):
    protocol: LaterProtocol
    task: str = added_later("classification")


def test_an_added_key_changes_an_id_only_where_it_is_set() -> None:
    def spec(protocol: dict[str, Any], **more: Any) -> LaterSpec:
        name = "full"
        return LaterSpec(
            name=name,
            method=name,
            settings=NO_RATE,
            model=PINNED,
            protocol=LaterProtocol.model_validate(OLD_PROTOCOL | protocol),
            seed=0,
            data_fingerprint=FINGERPRINT,
            **more,
        )

    assert spec({}).run_id == "full-s0-p0-aa6d29799b"
    ids = {spec({}).run_id, spec({"smoothing": 0.1}).run_id, spec({}, task="generation").run_id}
    assert len(ids) == 3


def test_a_limit_of_time_is_part_of_a_search_and_of_no_other_method_without_training() -> None:
    def run_id(needs: str, **protocol: Any) -> str:
        written = {"name": "x", "method": "x", "settings": {}, "model": PINNED.model_dump(), "seed": 0}
        given = {**OLD_PROTOCOL, **protocol}
        return RunSpec.model_validate(
            {**written, "protocol": given, "data_fingerprint": FINGERPRINT, "needs": needs}
        ).run_id

    limits: list[dict[str, Any]] = [{}, {"max_seconds": 5.0}, {"max_seconds": 6.0}]
    limits.append({"max_cost": 1.0, "price_per_hour": 2.0})
    assert len({run_id("network", **one) for one in limits}) == 1
    assert len({run_id("search", **one) for one in limits}) == 4
    assert run_id("search") == run_id("network"), "searches of earlier versions keep their ids"
    assert run_id("search", epochs=7, max_seconds=5.0) == run_id("search", max_seconds=5.0)
