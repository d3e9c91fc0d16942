"""The range in which a learning rate is searched."""

import pytest

from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.methods.table import build


def test_default_is_a_decade_to_either_side() -> None:
    assert build("full", {}).learning_rate_range == pytest.approx((5e-6, 5e-4))  # type: ignore[attr-defined]
    assert build("lora", {}).learning_rate_range == pytest.approx((5e-5, 5e-3))  # type: ignore[attr-defined]
    assert build("lora", {"learning_rate": 0.5}).learning_rate_range == (0.05, 1.0)  # type: ignore[attr-defined]


def test_users_own_range() -> None:
    assert build("qlora", {"learning_rate_range": [1e-4, 1e-2]}).learning_rate_range == (  # type: ignore[attr-defined]
        1e-4,
        1e-2,
    )


@pytest.mark.parametrize("wrong", [[1e-2, 1e-4], [0.0, 0.1], [0.1, 2.0], [0.1], 3])
def test_a_range_that_cannot_be_is_refused_with_its_place(wrong: object) -> None:
    with pytest.raises(UserError, match=r"`methods\.lora") as caught:
        check({"methods": {"lora": {"learning_rate_range": wrong}}}, "file.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"trials": 2}, {"trial": 6}, {"epochs": 0}, 6])
def test_tuning_that_cannot_be_is_refused_with_its_place(wrong: object) -> None:
    with pytest.raises(UserError, match=r"`protocol\.tuning|`trial` unknown in `protocol\.tuning`"):
        check({"methods": {"lora": {}}, "protocol": {"tuning": wrong}}, "file.yaml")
