"""What `auto` seeds and tuning come to, by rows, tokens, weights and device."""

from collections.abc import Callable
from pathlib import Path

import pytest

from showdown.core.spec import Comparison, DataSpec, ModelSpec, SharedProtocol, TuningSpec
from showdown.data.prepare import Prepared, prepare
from showdown.models.described import DescribedModel
from showdown.runner.auto_settings import MANY_SEEDS, SHORT_SEARCH, settled_effort
from tiny_pretrained import separable_rows, write_csv


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    source = write_csv(tmp_path_factory.mktemp("data") / "rows.csv", separable_rows(60))
    return prepare(DataSpec(source=str(source)), SharedProtocol().split)


def settled(prepared: Prepared, model: Path, *, gpu: bool = False, **given: object) -> tuple[Comparison, list[str]]:
    comparison = Comparison.model_validate({"methods": {"full": {}, "lora": {}, "tfidf": {}}, **given})
    described = DescribedModel.of(ModelSpec(id=str(model)))
    return settled_effort(comparison, described, prepared, gpu=gpu)


def test_a_tiny_comparison_gets_three_seeds_and_a_search(prepared: Prepared, pretrained: Callable[[str], Path]) -> None:
    found, said = settled(prepared, pretrained("bert"))
    assert (found.seeds, found.protocol.tuning) == (list(MANY_SEEDS), SHORT_SEARCH)
    assert [line.split(":")[0] for line in said] == ["seeds", "learning rates"]


def test_a_large_network_gets_one_seed_and_no_search(
    prepared: Prepared, pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("showdown.runner.auto_settings._layer_weights", lambda _: 7e9)
    found, said = settled(prepared, pretrained("bert"))
    assert (found.seeds, found.protocol.tuning) == ([0], None)
    assert "seeds: 1" in said[0]
    assert "not searched" in said[1]


def test_seeds_come_before_a_search_and_a_gpu_affords_more(
    prepared: Prepared, pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two there is a size at which three seeds are cheap and the search is not."""
    found = {}
    for size in range(12, 32):
        monkeypatch.setattr("showdown.runner.auto_settings._layer_weights", lambda _, size=size: 2.0**size)
        for gpu in (False, True):
            comparison, _ = settled(prepared, pretrained("bert"), gpu=gpu)
            found[size, gpu] = (comparison.seeds == list(MANY_SEEDS), comparison.protocol.tuning is not None)
    assert (True, False) in {value for (_, gpu), value in found.items() if not gpu}
    assert (False, True) not in found.values()
    assert sum(map(sum, (found[size, True] for size in range(12, 32)))) > sum(
        map(sum, (found[size, False] for size in range(12, 32)))
    )


def test_nothing_is_said_where_nothing_is_trained(prepared: Prepared, pretrained: Callable[[str], Path]) -> None:
    found, said = settled(prepared, pretrained("bert"), methods={"majority": {}, "tfidf": {}})
    assert (found.seeds, said) == ([0], [])


def test_what_the_user_says_stays(prepared: Prepared, pretrained: Callable[[str], Path]) -> None:
    asked = {"seeds": [7], "protocol": {"tuning": {"trials": 9}}}
    found, said = settled(prepared, pretrained("bert"), **asked)
    assert (found.seeds, found.protocol.tuning, said) == ([7], TuningSpec(trials=9), [])
    found, _ = settled(prepared, pretrained("bert"), protocol={"tuning": None})
    assert found.protocol.tuning is None
