"""A plan at a terminal."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from showdown.core.forecast_words import amount, two_digits
from showdown.planning.budget import BudgetPlan, Option
from showdown.planning.history import PastErrors
from showdown.planning.lines import HEADINGS, cells, misfits, money
from showdown.planning.planned import REST, WHOLE, Planned
from showdown.planning.power import ASSUMPTION
from showdown.report.terminal import print_grid

_ELSEWHERE = "--json has all"
_LEAVING = ["Cheapest GPU", "Other s", "Tuning s", "Scoring s", "Train s", "Runs"]


def print_plan(plan: Planned, console: Console) -> None:
    """Print a plan: what it is of, a line for each arm, what would make arms fit, the whole, what was estimated."""

    def line(text: str, style: str = "") -> None:
        console.print(escape(text), highlight=False, style=style, soft_wrap=not console.is_terminal)

    forecast = plan.forecast
    for text in plan.about:
        line(text)
    console.print()
    print_grid(
        HEADINGS, [cells(arm, forecast) for arm in forecast.arms], console, leaving=_LEAVING, elsewhere=_ELSEWHERE
    )
    for text in misfits(forecast):
        line(text)
    for text in plan.whole:
        line(text, "bold" if text.startswith((WHOLE, REST)) else "")
    if plan.budget is not None:
        console.print()
        _print_budget(plan.budget, console, line, all_of=bool(plan.done))


def _print_budget(plan: BudgetPlan, console: Console, line: Callable[..., None], *, all_of: bool) -> None:
    points = list(plan.asked.power)
    headings = ["Size", "Seeds", "Folds", "Trials", "Cost", "Test rows", "80 % from", *(f"At {one}" for one in points)]
    named = [("as it is", plan.asked)]
    named += [("best with search" if one.trials else "best without", one) for one in plan.fits]
    named += [] if plan.fits else [("cheapest", plan.cheapest)]
    unit = f" {plan.currency}" if plan.currency else ""
    counted = ", for a whole comparison: finished runs are counted too" if all_of else ""
    line(f"Budget: {plan.budget:g}{unit}{counted}", "bold")
    print_grid(headings, [_option(name, one) for name, one in named], console, elsewhere=_ELSEWHERE)
    for text in budget_lines(plan):
        line(text)


def _option(name: str, one: Option) -> list[str]:
    return [
        name,
        str(one.seeds),
        str(one.folds),
        str(one.trials),
        f"{money(one.cost.expected)} ({money(one.cost.low)} to {money(one.cost.high)})",
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
