"""Sweeps: which lists make arms, what the arms are called, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import check, read_comparison
from showdown.config.target import comparison_for
from showdown.core.errors import UserError


def arms(**rows: Any) -> dict[str, dict[str, Any]]:
    return dict(check({"name": "swept", "methods": rows}, "s.yaml").methods)


def test_a_list_of_ranks_makes_an_arm_of_each_where_the_row_stood() -> None:
    found = arms(tfidf={}, lora={"rank": [4, 16, 64], "alpha": 8.0}, full=None)
    assert list(found) == ["tfidf", "lora-rank-4", "lora-rank-16", "lora-rank-64", "full"]
    assert found["lora-rank-16"] == {"method": "lora", "rank": 16, "alpha": 8.0}
    assert found["full"] == {}


def test_two_lists_make_an_arm_of_each_combination() -> None:
    found = arms(small={"method": "lora", "rank": [4, 8], "learning_rate": [1e-3, 0.00002]})
    assert list(found) == [
        "small-rank-4-learning_rate-0.001",
        "small-rank-4-learning_rate-2e-05",
        "small-rank-8-learning_rate-0.001",
        "small-rank-8-learning_rate-2e-05",
    ]
    assert found["small-rank-8-learning_rate-2e-05"] == {"method": "lora", "rank": 8, "learning_rate": 2e-5}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"targets": ["query", "value"]}, ["lora"]),
        ({"targets": [["query"], ["query", "value"]]}, ["lora-targets-query", "lora-targets-query-value"]),
        ({"targets": ["all-linear", ["query"]]}, ["lora-targets-all-linear", "lora-targets-query"]),
        ({"layers": [-2, -1]}, ["lora"]),
        ({"layers": ["all", [-1]]}, ["lora-layers-all", "lora-layers--1"]),
        ({"learning_rate_range": [1e-5, 1e-3]}, ["lora"]),
        ({"protocol": {"warmup_fraction": [0.0, 0.1]}}, ["lora-warmup_fraction-0", "lora-warmup_fraction-0.1"]),
        ({"targets": [["a" * 40], ["b" * 60, "c"]]}, ["lora-targets-" + "a" * 40, "lora-targets-2"]),
    ],
)
def test_a_setting_that_takes_a_list_is_swept_by_a_list_of_lists(settings: Any, names: list[str]) -> None:
    assert list(arms(lora=settings)) == names


def test_the_protocol_of_an_arm_has_one_value() -> None:
    found = arms(lora={"protocol": {"epochs": [2, 3], "weight_decay": 0.0}})
    assert found["lora-epochs-3"]["protocol"] == {"epochs": 3, "weight_decay": 0.0}


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ({"lora": {"rank": []}}, "`methods.lora.rank`: the list has no values; give one or more"),
        ({"lora": {"rank": [4, 0]}}, r"`methods.lora.rank`: .* greater than or equal to 1 \(given: 0\)"),
        ({"lora": {"rank": [4, "many"]}}, r"`methods.lora.rank`: .* valid integer.* \(given: 'many'\)"),
        (
            {"lora": {"rank": [4, 4]}},
            "`methods.lora` makes two arms named `lora-rank-4`; rename a row, or drop a value",
        ),
        ({"lora-rank-4": {"method": "dora"}, "lora": {"rank": [4]}}, "makes two arms named `lora-rank-4`"),
        (
            {"lora": {"rank": list(range(1, 66))}},
            "`methods.lora`: its lists make 65 arms, and 64 are the most of a row",
        ),
        ({"lora": {"rnak": [4, 8]}}, "`rnak` unknown in `methods.lora`; did you mean `rank`"),
        ({"lora": {"protocol": {"epochs": [2, 0]}}}, r"`methods.lora.protocol.epochs`: .* \(given: 0\)"),
        ({"lora": {"protocol": {"metric": ["accuracy", "mcc"]}}}, "all rows have one metric"),
        ({"droa": {"rank": [1, 2]}}, "method `droa` unknown in `methods`"),
        ({"lora": {"method": ["lora", "dora"], "rank": [4]}}, "method `.*` unknown in `methods`"),
    ],
)
def test_what_is_wrong_is_named_where_it_was_written(rows: Any, fault: str) -> None:
    with pytest.raises(UserError, match=fault) as caught:
        arms(**rows)
    assert str(caught.value).startswith("s.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_sweep_from_the_command_line_and_its_arms_by_the_name_of_the_row(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("methods: {tfidf: , lora: {alpha: 4}, lora-16: {method: lora, rank: 16}}\n")
    override = ["methods.lora.rank=[4,16]"]
    assert list(read_comparison(path, base={}, overrides=override).methods) == [
        "tfidf", "lora-rank-4", "lora-rank-16", "lora-16"
    ]  # fmt: skip
    chosen = comparison_for(path, methods=["lora,tfidf"], overrides=override)
    assert list(chosen.methods) == ["lora-rank-4", "lora-rank-16", "tfidf"]
    of_data = comparison_for("resumes", methods=["lora"], overrides=override)
    assert list(of_data.methods) == ["lora-rank-4", "lora-rank-16"]
    again = check(chosen.model_dump(mode="json"), "again")
    assert again.methods == chosen.methods
