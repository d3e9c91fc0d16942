"""The options of a verdict as a user gives them, checked."""

from collections.abc import Mapping
from typing import TypedDict

from pydantic import ValidationError

from showdown.core.errors import UserError
from showdown.verdict.cost import Price, own_price
from showdown.verdict.recommend import Limits

_MOST_MARGIN_POINTS = 100.0


class JudgeOptions(TypedDict, total=False):
    """How a comparison is judged. Every key may be left out or None."""

    margin_points: float | None
    """How many points of the metric a method may be worse and still do as well; by default what the comparison says, 1
    where it says nothing."""
    metric: str | None
    """What methods are ranked, tested and recommended by, as `protocol.metric` has it: `mcc`, `f1:LABEL`; by default
    what the comparison says."""
    price_per_hour: float | None
    """What an hour of your device costs; an example price otherwise."""
    price_per_kwh: float | None
    """What its energy costs on top of the hours, where it could be read."""


def checked_limits(limits: Mapping[str, float | None] | None) -> Limits:
    """Return the limits of a recommendation.

    Raises:
        UserError: for an unknown limit, or a value that it cannot have.

    """
    try:
        return Limits.model_validate(limits or {})
    except ValidationError as error:
        fault = error.errors()[0]
        raise UserError(f"limit `{fault['loc'][-1]}`: {fault['msg']} (given: {fault['input']})") from error


def checked_margin(points: float | None) -> float | None:
    """Return the margin.

    Raises:
        UserError: for one that is not over 0 and at most 100.

    """
    if points is not None and not 0.0 < points <= _MOST_MARGIN_POINTS:
        raise UserError(f"`margin_points` is over 0 and at most {_MOST_MARGIN_POINTS:g} (given: {points:g})")
    return points


def checked_price(per_hour: float | None, per_kwh: float | None) -> Price | None:
    """Return the user's own price; None without one.

    Raises:
        UserError: for a negative price, or one of energy alone.

    """
    for key, value in (("price_per_hour", per_hour), ("price_per_kwh", per_kwh)):
        if value is not None and not (0.0 <= value < float("inf")):
            raise UserError(f"`{key}` is 0 or more (given: {value:g})")
    if per_hour is None:
        if per_kwh is not None:
            raise UserError(
                "--price-per-kwh needs --price-per-hour, 0 for a machine of your own: example prices of hours are of "
                "rented machines, and hold the energy"
            )
        return None
    return own_price(per_hour, per_kwh or 0.0)
