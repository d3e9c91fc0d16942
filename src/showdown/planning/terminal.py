"""A plan at a terminal."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from showdown.core.forecast import ArmForecast, Forecast, Range
from showdown.core.forecast_words import (
    amount,
    basis_words,
    duration,
    fits_words,
    is_other,
    is_scoring,
    is_training,
    is_tuning,
    of_phases,
    scaled,
    total,
    two_digits,
)
from showdown.core.prices import three_digits
from showdown.planning.budget import BudgetPlan, Option
from showdown.planning.history import PastErrors
from showdown.planning.planned import Planned
from showdown.planning.power import ASSUMPTION
from showdown.report.terminal import print_grid

_HEADINGS = [
    "Method",
    "Fits",
    "Memory GB",
    "Tuning s",
    "Train s",
    "Scoring s",
    "Other s",
    "One run",
    "Runs",
    "Cost",
    "Cheapest GPU",
]
_ELSEWHERE = "--json has all"
_LEAVING = ["Cheapest GPU", "Other s", "Tuning s", "Scoring s", "Train s", "Runs"]


def print_plan(plan: Planned, console: Console) -> None:
    """Print a plan: what it is of, a line for each arm, what would make arms fit, the whole, what was estimated."""

    def line(text: str, style: str = "") -> None:
        console.print(escape(text), highlight=False, style=style, soft_wrap=not console.is_terminal)

    forecast = plan.forecast
    for text in _about(plan):
        line(text)
    console.print()
    print_grid(
        _HEADINGS, [_cells(arm, forecast) for arm in forecast.arms], console, leaving=_LEAVING, elsewhere=_ELSEWHERE
    )
    for text in _misfits(forecast):
        line(text)
    for text in _whole(forecast):
        line(text, "bold" if text.startswith("The whole") else "")
    if plan.budget is not None:
        console.print()
        _print_budget(plan.budget, console, line)


def _about(plan: Planned) -> list[str]:
    rows = ", ".join(f"{count:,} {side}" for side, count in plan.rows.items())
    part = "folds" if plan.split == "kfold" else "repeats"
    partitions = "one split" if plan.partitions == 1 else f"{plan.partitions} {part}"
    seeds = "1 seed" if len(plan.seeds) == 1 else f"{len(plan.seeds)} seeds"
    search = f"{plan.trials} trials for each rate" if plan.trials else "rates not searched"
    return [
        f"Plan of {plan.name}: {plan.model}, {plan.task}; {rows} rows; {partitions}, {seeds}, {search}",
        *plan.choices,
    ]


def _cells(arm: ArmForecast, forecast: Forecast) -> list[str]:
    cost = None
    if forecast.price_per_hour is not None:
        cost = scaled(total(arm), arm.devices * arm.runs * forecast.price_per_hour / 3600)
    return [
        arm.name,
        fits_words(arm, forecast.device.memory_gb) + (f", {arm.devices} together" if arm.devices > 1 else ""),
        "-" if arm.peak_gb is None else f"{three_digits(arm.peak_gb.low)} to {three_digits(arm.peak_gb.high)}",
        _seconds(of_phases(arm, is_tuning)),
        _seconds(of_phases(arm, is_training)),
        _seconds(of_phases(arm, is_scoring)),
        _seconds(of_phases(arm, is_other)),
        duration(total(arm)),
        str(arm.runs),
        "-" if cost is None else _money(cost.expected),
        "-" if arm.peak_gb is None else arm.cheapest_gpu or "none",
    ]


def _seconds(found: Range | None) -> str:
    return "-" if found is None else two_digits(found.expected)


def _money(value: float) -> str:
    return three_digits(float(f"{value:.2g}"))


def _misfits(forecast: Forecast) -> list[str]:
    lines = [f"{arm.name}: {note}" for arm in forecast.arms for note in arm.notes]
    for arm in forecast.arms:
        if arm.fits is False:
            ways = "; ".join(arm.fixes) if arm.fixes else "nothing that was tried, on this device"
            may = "cannot" if fits_words(arm, forecast.device.memory_gb) == "no" else "may not"
            lines.append(f"{arm.name} {may} fit. What would: {ways}")
    return lines


def _whole(forecast: Forecast) -> list[str]:
    device = forecast.device.name if forecast.devices == 1 else f"{forecast.devices} x {forecast.device.name}"
    found = [f"The whole comparison: {duration(forecast.seconds)} on {device}"]
    more = []
    if forecast.devices > 1:
        more.append(f"{duration(scaled(forecast.device_hours, 3600))} of one device's time")
    if forecast.cost is not None:
        more.append(f"{amount(forecast.cost, forecast.currency)} at {forecast.price_per_hour:g} an hour")
    if forecast.energy_kwh is not None:
        low, high = (three_digits(float(f"{end:.2g}")) for end in (forecast.energy_kwh.low, forecast.energy_kwh.high))
        more.append(f"{low} to {high} kWh at full power")
    found[0] = "; ".join([found[0], *more])
    price = [] if forecast.price_source is None else [f"Price: {forecast.price_source}"]
    return [
        *found,
        f"Basis: {basis_words(forecast)}; ranges should hold nine of ten measurements",
        *price,
        *forecast.notes,
    ]


def _print_budget(plan: BudgetPlan, console: Console, line: Callable[..., None]) -> None:
    points = list(plan.asked.power)
    headings = ["Size", "Seeds", "Folds", "Trials", "Cost", "Test rows", "80 % from", *(f"At {one}" for one in points)]
    named = [("as it is", plan.asked)]
    named += [("best with search" if one.trials else "best without", one) for one in plan.fits]
    named += [] if plan.fits else [("cheapest", plan.cheapest)]
    unit = f" {plan.currency}" if plan.currency else ""
    line(f"Budget: {plan.budget:g}{unit}", "bold")
    print_grid(headings, [_option(name, one) for name, one in named], console, elsewhere=_ELSEWHERE)
    for text in budget_lines(plan):
        line(text)


def _option(name: str, one: Option) -> list[str]:
    return [
        name,
        str(one.seeds),
        str(one.folds),
        str(one.trials),
        f"{_money(one.cost.expected)} ({_money(one.cost.low)} to {_money(one.cost.high)})",
        f"{one.test_rows:,}",
        f"{two_digits(one.detectable_points)} points",
        *(f"{100 * chance:.0f} %" for chance in one.power.values()),
    ]


def budget_lines(plan: BudgetPlan) -> list[str]:
    """Return what a budget buys and leaves undecided, a line each."""
    unit = f" {plan.currency}" if plan.currency else ""
    asked = plan.asked.cost
    whole = "is within" if asked.expected <= plan.budget else "is above"
    lines = [f"The comparison as it is {whole} the budget: {amount(asked, plan.currency)}"]
    if not plan.fits:
        least = amount(plan.cheapest.cost, plan.currency)
        return [*lines, f"Nothing fits: the smallest size costs {least}; leave arms out with --methods, or raise it"]
    for one in plan.fits:
        if one.settings:
            kind = "with a search for rates" if one.trials else "without a search for rates"
            lines.append(f"Decides most of what {plan.budget:g}{unit} buys {kind}: {_arguments(one.settings)}")
    best = plan.fits[0]
    chances = ", ".join(f"of {points} points with {100 * chance:.0f} %" for points, chance in best.power.items())
    lines.append(
        f"Left undecided by the first of these, most of the time: true differences between two trained methods under "
        f"{best.detectable_points:.1f} points, which it finds with 80 %; {chances}"
    )
    lines += [f"Not counted, since they do not fit: {', '.join(plan.left_out)}"] if plan.left_out else []
    return [*lines, f"Chances at the strictest level of Holm's procedure over all pairs; {ASSUMPTION}"]


def _arguments(settings: Sequence[str]) -> str:
    return " ".join(f"--set '{setting}'" for setting in settings)


def print_history(found: Sequence[PastErrors], console: Console) -> None:
    """Print how far past forecasts were off."""
    headings = ["Device", "Method", "Of", "Forecasts", "Median error", "Within range"]
    rows = [
        [
            one.device,
            one.method,
            one.quantity,
            str(one.forecasts),
            f"{100 * one.median_error:.0f} %",
            f"{100 * one.within:.0f} %",
        ]
        for one in found
    ]
    print_grid(headings, rows, console, left=3)
