"""From rows to the sizes of a forecast: counted, estimated by words, and the longest always among them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from showdown.core.examples import Examples
from showdown.core.spec import Comparison, ModelSpec
from showdown.data.prepare import prepare
from showdown.forecast import sizes
from showdown.forecast.sizes import BY_WORDS, counted_places, workload_of
from showdown.models.described import DescribedModel
from tiny_pretrained import separable_rows, write_csv


def described(place: Path) -> DescribedModel:
    return DescribedModel.of(ModelSpec(id=str(place)), weights=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "rows.csv", separable_rows(60))


def comparison_of(source: Path, max_tokens: int = 16) -> Comparison:
    protocol = {"split": {"kind": "single"}, "max_tokens": max_tokens, "tuning": None}
    given = {"data": {"source": str(source)}, "methods": {"lora": {}}, "protocol": protocol, "seeds": [0]}
    return Comparison.model_validate(given)


def test_rows_are_counted_with_the_tokenizer(source: Path, pretrained: Callable[[str], Path]) -> None:
    comparison = comparison_of(source)
    prepared = prepare(comparison.data, comparison.protocol.split)
    model = described(pretrained("bert"))
    found, said = workload_of(comparison, prepared, model)
    assert said == []
    assert model.tokenizer is not None
    lengths = [len(model.tokenizer(text)["input_ids"]) for text in prepared.side("train").texts]
    assert [tokens for tokens, _ in found.train] == [min(16, length) for length in lengths]
    assert (len(found.validation), len(found.test)) == (len(prepared.side("validation")), len(prepared.side("test")))
    assert found.answer_tokens == []


def test_without_a_tokenizer_words_are_counted_and_it_is_said(
    source: Path, pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copy(pretrained("bert") / "config.json", tmp_path)
    comparison = comparison_of(source, 8)
    prepared = prepare(comparison.data, comparison.protocol.split)
    found, said = workload_of(comparison, prepared, described(tmp_path))
    assert said == [BY_WORDS]
    words = [len(text.split()) for text in prepared.side("train").texts]
    assert [tokens for tokens, _ in found.train] == [min(8, int(2 + 1.4 * count)) for count in words]


def rows(lengths: list[int]) -> Examples:
    number = len(lengths)
    return Examples(
        texts=tuple("x" * length for length in lengths),
        targets=(0,) * number,
        row_ids=tuple(range(number)),
        duplicate_groups=tuple(range(number)),
    )


def test_of_many_rows_the_longest_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "COUNTED_ROWS", 100)
    lengths = [1 + place % 7 for place in range(1_000)]
    lengths[777] = 50
    places, others = counted_places(rows(lengths))
    assert (len(places), others, places[0]) == (100, 36, 777)
    assert len(set(places)) == 100
    assert counted_places(rows([1, 2, 3])) == ([0, 1, 2], 3)
