"""The kinds of split: what each takes, what it refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from showdown.core.spec import Comparison, SharedProtocol
from showdown.core.split import SPLIT_KINDS


def split(written: dict[str, Any]) -> Any:
    return SharedProtocol.model_validate({"split": written}).split


@pytest.mark.parametrize("kind", SPLIT_KINDS)
def test_what_was_dumped_is_read_again(kind: str) -> None:
    found = split({"kind": kind, "seed": 7})
    assert isinstance(found, SPLIT_KINDS[kind])
    assert split(found.model_dump(mode="json")) == found


def test_auto_is_the_default() -> None:
    assert SharedProtocol().split.kind == "auto"
    assert split({"seed": 3}).kind == "auto"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"kind": "single", "folds": 5}, "`folds` is no setting of kind `single`; it belongs to kind `kfold`"),
        ({"kind": "kfold", "test": 0.2}, "`test` is no setting of kind `kfold`; it belongs to kind `single` or"),
        ({"train": 0.8}, "`train` is no setting of kind `auto`"),
        ({"kind": "repeated", "repeats": 1}, "greater than or equal to 2"),
        ({"kind": "kfold", "folds": 2, "validation": 0.5}, "leave under a tenth of the rows for training"),
        ({"kind": "repeated", "train": 0.9}, "must add up to 1"),
        ({"kind": "kfold", "fold": 5}, "Extra inputs are not permitted"),
        ({"kind": "folds"}, "`kind` is auto, single, kfold, repeated or given"),
        ({"kind": ["kfold"]}, "`kind` is auto, single, kfold, repeated or given"),
    ],
)
def test_wrong_settings_are_refused(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        split(written)
    assert said in str(caught.value)


def test_files_and_a_split_exclude_each_other() -> None:
    files = {"train": "a.csv", "validation": "b.csv", "test": "c.csv"}
    base: dict[str, Any] = {"methods": {"majority": {}}}
    for kind in ("auto", "given"):
        Comparison.model_validate({**base, "data": {"files": files}, "protocol": {"split": {"kind": kind}}})
    with pytest.raises(ValidationError, match=r"`data\.files` gives the split"):
        Comparison.model_validate({**base, "data": {"files": files}, "protocol": {"split": {"kind": "kfold"}}})
    with pytest.raises(ValidationError, match=r"needs `data\.files`"):
        Comparison.model_validate({**base, "protocol": {"split": {"kind": "given"}}})


@pytest.mark.parametrize("wrong", [[], [0.5], [0.5, 0.25, 1.0], [0.5, 0.5, 1.0], [0.0, 1.0], [1.0, 1.5]])
def test_learning_curve_rises_to_all_rows(wrong: list[float]) -> None:
    with pytest.raises(ValidationError):
        Comparison.model_validate({"methods": {"majority": {}}, "learning_curve": wrong})
    assert Comparison.model_validate({"methods": {"majority": {}}}).learning_curve == [1.0]
