import pytest

from showdown.report.learning_curve import learning_curve
from showdown.verdict.summary import judge


def curve_of(built, answers, wrong_by_name, *, method="frozen"):
    for name, wrongs in wrong_by_name.items():
        for fraction, wrong in zip((0.5, 1.0), wrongs, strict=True):
            predicted, true = answers(300, wrong)
            built.run(f"{name}-{fraction}", predicted, true, method=method)
            run = built.runs.pop()
            spec = run.spec.model_copy(update={"name": name, "train_fraction": fraction})
            built.runs.append(
                run.model_copy(update={"name": name, "spec": spec, "confusion_matrix": matrix(300, wrong)})
            )
    verdict = judge(built.results, built.folder)
    return verdict, learning_curve(built.results, verdict.curve)


def matrix(rows, wrong):
    counts = [[0, 0, 0] for _ in range(3)]
    for row in range(rows):
        counts[row % 3][(row + (row < wrong)) % 3] += 1
    return counts


def test_gains_have_intervals_and_the_largest_is_tested_against_the_second(built, answers):
    verdict, shown = curve_of(built, answers, {"a": (150, 30), "b": (60, 50), "c": (90, 30)})
    assert [step.name for step in verdict.curve.steps] == ["a", "c", "b"]
    assert [step.shown for step in verdict.curve.steps] == [True, True, True]
    gain = verdict.curve.steps[0].gain
    assert gain.low < 0.4 < gain.high
    assert verdict.curve.ahead.low > 0.0
    assert "a gains most, +20.0 points" in shown.sentence
    assert shown.rows[0][1].startswith("50.0 (44 to 56)")
    assert [row.name for row in verdict.rows] == ["a", "b", "c"]
    assert verdict.rows[0].accuracy.value == 0.9


def test_gains_that_may_be_chance_are_said_so(built, answers):
    verdict, shown = curve_of(built, answers, {"a": (52, 50), "b": (50, 50)})
    assert not any(step.shown for step in verdict.curve.steps)
    assert shown.sentence.startswith("More labels were not shown to help any method from 50 to 100 %")
    assert "a, +0.7 points" in shown.sentence


def test_a_loss_is_no_gain(built, answers):
    verdict, _ = curve_of(built, answers, {"a": (20, 90)})
    assert not verdict.curve.steps[0].shown
    assert verdict.curve.ahead is None


def test_without_parts_there_is_no_curve(built, answers):
    predicted, true = answers(60, 5)
    built.run("lora", predicted, true)
    assert judge(built.results, built.folder).curve is None


def part_curve(built, answers, wrong, *, seeds):
    """Two rows of the table, `a` with seeds of its own at each fraction."""
    for name in ("a", "b"):
        for fraction in (0.5, 1.0):
            for seed in seeds[name, fraction]:
                predicted, true = answers(300, wrong[name, fraction], start=seed)
                built.run(f"{name}-{fraction}", predicted, true, seed=seed)
                run = built.runs.pop()
                spec = run.spec.model_copy(update={"name": name, "train_fraction": fraction})
                built.runs.append(run.model_copy(update={"name": name, "spec": spec}))
    return judge(built.results, built.folder).curve


WRONG = {("a", 0.5): 120, ("a", 1.0): 30, ("b", 0.5): 60, ("b", 1.0): 40}


def test_seeds_need_not_be_the_same_ones_to_compare_gains(built, answers, tmp_path_factory):
    """A seed that failed at one fraction takes nothing from the others, whatever its place."""
    same = {key: (0, 1, 2) for key in WRONG}
    other = {**same, ("a", 0.5): (2, 0), ("b", 1.0): (1,)}
    both = [
        part_curve(type(built)(tmp_path_factory.mktemp("curve")), answers, WRONG, seeds=seeds)
        for seeds in (same, other)
    ]
    assert [curve.ahead.value for curve in both] == [pytest.approx((90 - 20) / 300)] * 2
    assert both[0].ahead.low > both[1].ahead.low > 0.0


def test_two_seeds_that_agree_are_no_surer_than_what_is_assumed(built, answers, tmp_path_factory):
    """An interval from two equal seeds has the assumed spread in it, as one from a single seed has."""
    widths = []
    for count in (1, 2, 5):
        curve = part_curve(
            type(built)(tmp_path_factory.mktemp("curve")), answers, WRONG, seeds={key: range(count) for key in WRONG}
        )
        interval = curve.scores["a"][0]
        widths.append(interval.high - interval.low)
    assert widths[0] > widths[1] > widths[2]
    assert widths[1] > widths[0] / 2
