"""Are true differences found, and no others?"""

import itertools

import numpy as np

from showdown.verdict.classification.mcnemar import mcnemar_exact, paired_test
from showdown.verdict.forecast import plausible_sizes, rows_to_decide, seeds_to_decide
from showdown.verdict.lead import lead_of
from showdown.verdict.outcomes import on_common_rows
from showdown.verdict.paired import ALPHA, Side, holm, holm_levels
from showdown.verdict.simulation import DETERMINISTIC, SIMULATED, Simulated, Trainings, World, simulate
from showdown.verdict.spread import reruns_of

from .cell import Cell, Lines, grid, shares, tests_of, with_target

_MOST_ROWS = 20_000
MARGIN = 0.01


def _drawn(cell: Cell, rng: np.random.Generator, accuracies: list[float], **changed: object) -> Simulated:
    world = World(
        labels=cell.get("labels", 5), row_share=cell.get("row_share", 0.5), method_share=cell.get("method_share", 0.25)
    )
    given = {"rows": cell.get("rows", 500), "trainings": cell.trainings, "copies": cell.get("copies", 1), **changed}
    return simulate(rng, world, accuracies=np.array(accuracies), **given)  # type: ignore[arg-type]


def equal_methods(cell: Cell) -> dict[str, float | None]:
    """Comparisons of equal methods, 2 to 7 where no number is given: how often is any difference declared?

    Where they are deterministic, as TF-IDF is, all seeds give the same answers and no spread is assumed.
    """
    rng, false, plain = cell.rng(), 0, 0
    for _ in range(cell.times):
        methods = cell.get("methods", 0) or int(rng.integers(2, 8))
        rows = cell.get("rows", 0) or int(rng.choice([166, 500, 2000]))
        accuracy = cell.get("accuracy", 0.0) or rng.uniform(0.6, 0.95)
        drawn = _drawn(cell, rng, [accuracy] * methods, rows=rows)
        tests = tests_of(drawn, DETERMINISTIC if cell.get("deterministic", False) else SIMULATED).values()
        false += min(holm([test.p_value for test in tests])) <= ALPHA
        exact = [mcnemar_exact(a[0], b[0]) for a, b in itertools.combinations(drawn.correct, 2)]
        plain += min(holm(exact)) <= ALPHA
    return {**shares(false, cell.times), "plain_mcnemar": plain / cell.times}


def equal_lines() -> Lines:
    """Seeds and spreads; then the adversarial ones."""
    plain = [*grid(seeds=[1, 2, 3, 5], spread=[0.0, 0.01, 0.02]), {"seeds": 1, "deterministic": True}]
    hard = [
        *grid(seeds=[3], spread=[0.02, 0.03], folds=[5], rows=[425, 1900]),
        *grid(seeds=[1], spread=[0.02], folds=[5], rows=[425, 1900]),
        *grid(seeds=[2, 3, 5], spread=[0.01], collapsing=[0.05], accuracy=[0.85]),
        *grid(seeds=[1, 3], spread=[0.01], collapsing=[0.05], folds=[5], rows=[425], accuracy=[0.85]),
        *grid(seeds=[1, 3, 5], spread=[0.02], tails=[3.0]),
        *grid(seeds=[1, 3], spread=[0.01], copies=[3], rows=[600]),
        *grid(seeds=[1, 3], spread=[0.01], row_share=[0.8], method_share=[0.15]),
        *grid(seeds=[1, 3, 5], spread=[0.004], accuracy=[0.98], rows=[3000]),
        *grid(seeds=[3], spread=[0.01], labels=[77], rows=[3080]),
        *grid(seeds=[1, 2, 3, 5], spread=[0.02], accuracy=[0.8], rows=[2000], methods=[2]),
    ]
    beyond = [
        *grid(seeds=[1], spread=[0.03], folds=[5], rows=[425, 1900]),
        *grid(seeds=[1, 5], spread=[0.04]),
        *grid(seeds=[1], spread=[0.01], collapsing=[0.05], accuracy=[0.85]),
        *grid(seeds=[1, 2, 3, 5], spread=[0.02], accuracy=[0.9], rows=[2000], methods=[2]),
    ]
    return [*with_target([*plain, *hard], most=0.05), *with_target(beyond)]


def power(cell: Cell) -> dict[str, float | None]:
    """How often is a true gap between the first two methods found, among all that are compared?"""
    rng, found, discordance = cell.rng(), 0, 0.0
    accuracies = [cell["accuracy"] + cell["gap"], cell["accuracy"], *cell.get("others", [])]
    for _ in range(cell.times):
        drawn = _drawn(cell, rng, accuracies)
        tests = tests_of(drawn)
        found += holm([test.p_value for test in tests.values()])[0] <= ALPHA
        discordance += float((drawn.correct[0, 0] != drawn.correct[1, 0]).mean())
    return {**shares(found, cell.times), "discordance": discordance / cell.times}


def power_lines() -> Lines:
    """The default designs at ten points, near 100 %, and what smaller designs find."""
    world = {"row_share": 0.35, "method_share": 0.2, "accuracy": 0.75}
    default = [
        {**world, **line}
        for line in grid(gap=[0.1], rows=[425, 1900], seeds=[3], folds=[5], spread=[0.01, 0.03])
        + grid(gap=[0.1], rows=[425, 1900], seeds=[3], folds=[5], spread=[0.03], others=[[0.8, 0.78]])
        + grid(gap=[0.1], rows=[500], seeds=[5], spread=[0.0, 0.01, 0.02])
    ]
    one_seed = [{**world, **line} for line in grid(gap=[0.1], rows=[425, 1900], seeds=[1], folds=[5], spread=[0.03])]
    others = [
        {**world, **line}
        for line in grid(gap=[0.03, 0.05, 0.1], rows=[166, 500, 2000], seeds=[1, 3, 5], spread=[0.01])
        + grid(gap=[0.18], rows=[300, 1000, 3000, 30_000], seeds=[1], spread=[0.02])
    ]
    near = grid(accuracy=[0.98], gap=[0.01], rows=[3000], seeds=[5], spread=[0.0, 0.002, 0.003])
    near_fewer = [
        *grid(accuracy=[0.98], gap=[0.01], rows=[3000], seeds=[1, 3], spread=[0.002]),
        *grid(accuracy=[0.98], gap=[0.01], rows=[3000], seeds=[5], spread=[0.004]),
    ]
    return [*with_target(default, 0.9), *with_target(near, 0.8), *with_target([*one_seed, *others, *near_fewer])]


def non_inferior(cell: Cell) -> dict[str, float | None]:
    """How often is a method that truly is worse by ``loss`` called 'at most 1 point worse'?"""
    rng, declared = cell.rng(), 0
    for _ in range(cell.times):
        test = tests_of(_drawn(cell, rng, [cell["accuracy"] - cell["loss"], cell["accuracy"]]))[0, 1]
        declared += test.p_above(-MARGIN) <= ALPHA
    return shares(declared, cell.times)


def non_inferior_lines() -> Lines:
    """Equal methods, and methods that lose the whole margin."""
    equal = grid(accuracy=[0.9, 0.95], loss=[0.0], rows=[3000], seeds=[5], spread=[0.0, 0.003])
    harder = grid(accuracy=[0.85, 0.9], loss=[0.0], rows=[3000], seeds=[5], spread=[0.006, 0.01])
    fewer = grid(accuracy=[0.9], loss=[0.0], rows=[3000], seeds=[1, 3], spread=[0.003])
    lost = grid(
        accuracy=[0.85, 0.9, 0.95], loss=[MARGIN], rows=[500, 3000], seeds=[1, 3, 5], spread=[0.003, 0.01, 0.02]
    )
    # At 95 %, or with one seed, 2 points are more than is assumed.
    beyond = [line for line in lost if line["spread"] == 0.02 and (line["accuracy"] == 0.95 or line["seeds"] == 1)]
    within = [line for line in lost if line not in beyond]
    return [*with_target(equal, 0.5), *with_target([*harder, *fewer, *beyond]), *with_target(within, most=0.06)]


def leads(cell: Cell) -> dict[str, float | None]:
    """Of the leads that are printed ("beats by"), how many hold the truth? And how large are they on average?"""
    rng, held, plain, printed, shown, measured, true = cell.rng(), 0, 0, 0, 0.0, 0.0, 0.0
    accuracies = np.array(cell["accuracies"])
    for _ in range(cell.times):
        drawn = _drawn(cell, rng, list(accuracies))
        leader = int(drawn.correct.mean(axis=(1, 2)).argmax())
        tests = tests_of(drawn)
        p_values = [test.p_value for test in tests.values()]
        for (pair, test), p_holm, level in zip(tests.items(), holm(p_values), holm_levels(p_values), strict=True):
            if leader not in pair or p_holm > ALPHA:
                continue
            gap = float(accuracies[pair[0]] - accuracies[pair[1]])
            found, side = lead_of(test, level), np.sign(test.centre)
            printed += 1
            held += found.low - 1e-12 <= gap <= found.high + 1e-12
            plain += test.effect.low <= gap <= test.effect.high
            shown, measured, true = shown + side * found.value, measured + side * test.value, true + side * gap
    some = max(1, printed)
    return {
        **shares(held, printed),
        "plain": plain / some,
        "shown_points": 100 * shown / some,
        "measured_points": 100 * measured / some,
        "true_points": 100 * true / some,
    }


def lead_lines() -> Lines:
    """Leads too small to be found often, and clear ones; two methods and five."""
    two = [
        {"accuracies": [round(0.8 + gap, 3), 0.8], **line}
        for gap in (0.01, 0.02, 0.03, 0.05, 0.1)
        for line in grid(rows=[500, 2000], seeds=[3], spread=[0.01])
    ]
    five = [
        {"accuracies": [round(0.8 + gap, 3), 0.8, 0.8, round(0.8 - gap, 3), round(0.8 - gap, 3)], **line}
        for gap in (0.01, 0.02, 0.04)
        for line in grid(rows=[500, 2000], seeds=[3], spread=[0.01])
    ]
    return with_target([*two, *five], 0.93)


def forecast(cell: Cell) -> dict[str, float | None]:
    """How often is the larger plausible difference found with as many rows, or seeds, as the verdict says it needs?"""
    rng, found, tried, none, amounts = cell.rng(), 0, 0, 0, []
    while tried < cell.times and none < 20 * cell.times:
        pilot = tests_of(_drawn(cell, rng, [0.7, 0.7 + cell["gap"]]))[0, 1]
        by_rows = cell["ask"] == "rows"
        amount = (rows_to_decide if by_rows else seeds_to_decide)(pilot, pairs=1)
        size = plausible_sizes(pilot)[1]
        if amount is None or size > 0.25 or pilot.p_value <= ALPHA:
            none += 1
            continue
        fewest = amount[0]
        trainings = Trainings(spread=cell["spread"], seeds=cell["seeds"] if by_rows else fewest)
        rows = min(fewest, _MOST_ROWS) if by_rows else cell["rows"]
        again = tests_of(_drawn(cell, rng, [0.7, 0.7 + size], rows=rows, trainings=trainings))[0, 1]
        found += again.p_value <= ALPHA
        tried += 1
        amounts.append(fewest)
    return {
        **shares(found, tried),
        "passed_over": none / max(1, none + tried),
        "median": float(np.median(amounts or [0])),
    }


def forecast_lines() -> Lines:
    """Pairs with too few rows, and pairs with too few seeds."""
    rows = [
        {"ask": "rows", "gap": gap, "rows": 150, "seeds": seeds, "spread": spread}
        for gap, seeds, spread in ((0.05, 3, 0.01), (0.1, 3, 0.02), (0.05, 5, 0.01))
    ]
    seeds = [{"ask": "seeds", "gap": 0.03, "rows": 5000, "seeds": seeds, "spread": 0.02} for seeds in (2, 3)]
    return [*with_target(rows, 0.7, 0.97), *with_target(seeds, 0.7, 1.0)]


def failed_fold(cell: Cell) -> dict[str, float | None]:
    """Cross-validation whose hardest fold one of two methods lacks: how often does that method lead, or win?

    On common rows, as the verdict ranks; and by the scores as they are.
    """
    rng, leads_common, leads_raw, wins = cell.rng(), 0, 0, 0
    for _ in range(cell.times):
        drawn = _drawn(cell, rng, [0.75, 0.75 - cell["gap"]])
        rows = {name: drawn.row(index) for index, name in enumerate("ab")}
        hardest = min(range(5), key=lambda fold: drawn.correct[..., drawn.folds == fold].mean())
        part = rows["b"].parts[0]
        rows["b"].parts[0] = part.at(np.flatnonzero(drawn.folds != hardest))
        raw = [row.parts[0].values.mean() for row in rows.values()]
        common, _ = on_common_rows(rows)
        a, b = (common[name].parts[0] for name in "ab")
        sides = [
            Side(values=common[name].parts[0].values, reruns=reruns_of(common[name], list(common.values())),
                 folds=common[name].parts[0].folds)
            for name in "ab"
        ]  # fmt: skip
        test = paired_test(sides[0], sides[1], a.clusters)
        leads_common += b.values.mean() > a.values.mean()
        leads_raw += raw[1] > raw[0]
        wins += test.p_value <= ALPHA and test.value < 0
    return {
        **shares(wins, cell.times),
        "leads_on_common_rows": leads_common / cell.times,
        "leads_by_raw_score": leads_raw / cell.times,
    }


def failed_fold_lines() -> Lines:
    """Equal methods, and a worse one that lacks the hardest fold."""
    return with_target(
        grid(gap=[0.0, 0.02], rows=[425, 1900], seeds=[1, 3], folds=[5], spread=[0.02], row_share=[0.6]), most=0.05
    )
