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
