"""The range in which a learning rate is searched."""

import pytest

from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.method import TunedMethod
from showdown.methods.table import build


def tuned(name: str, **settings: object) -> TunedMethod:
    method = build(name, settings)
    assert isinstance(method, TunedMethod)
    return method


def test_default_rate_follows_method_and_width() -> None:
    """5e-5 at a width of 2,000, more for narrower networks, ten times for adapters; the user's own goes first."""
    assert tuned("full").learning_rate(2000) == pytest.approx(5e-5)
    assert tuned("full").learning_rate(384) == pytest.approx(1.8e-4)
    assert tuned("full").learning_rate(4096) == pytest.approx(2.9e-5)
    for name in ("lora", "qlora", "dora"):
        assert tuned(name).learning_rate(2000) == pytest.approx(5e-4)
    assert tuned("lora", learning_rate=0.3).learning_rate(384) == 0.3


def test_default_range_is_half_a_decade_to_either_side() -> None:
    assert tuned("full").learning_rate_range(2000) == pytest.approx((5e-5 / 10**0.5, 5e-5 * 10**0.5))
    assert tuned("lora", learning_rate=0.5).learning_rate_range(384) == (pytest.approx(0.5 / 10**0.5), 1.0)


def test_users_own_range() -> None:
    assert tuned("qlora", learning_rate_range=[1e-4, 1e-2]).learning_rate_range(384) == (1e-4, 1e-2)


@pytest.mark.parametrize("wrong", [[1e-2, 1e-4], [0.0, 0.1], [0.1, 2.0], [0.1], 3])
def test_a_range_that_cannot_be_is_refused_with_its_place(wrong: object) -> None:
    with pytest.raises(UserError, match=r"`methods\.lora") as caught:
        check({"methods": {"lora": {"learning_rate_range": wrong}}}, "file.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"trials": 2}, {"trial": 6}, {"epochs": 0}, 6])
def test_tuning_that_cannot_be_is_refused_with_its_place(wrong: object) -> None:
    with pytest.raises(UserError, match=r"`protocol\.tuning|`trial` unknown in `protocol\.tuning`"):
        check({"methods": {"lora": {}}, "protocol": {"tuning": wrong}}, "file.yaml")
