"""When training ends: on curves whose end is known, and in the loop."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_loop import TinyClassifier, run_of, scored

from showdown.core.spec import SharedProtocol
from showdown.measure.phases import PhaseClock
from showdown.tasks.classification.task import Classification
from showdown.tasks.generation.task import Generation
from showdown.training.convergence import LEARNED, cooldown_epochs, judge, waited_enough
from showdown.training.loop import convergence, train
from showdown.training.schedule import rate_factor

CHANCE = 0.04
DIFFERENT = [(label,) for label in range(20)]
"""Targets of 20 labels: chance is 0.05."""
NOISE = 0.01


def rise(epochs: int, *, halfway: float, top: float = 0.9) -> list[float]:
    """A score that has risen half of its way to the top after so many epochs, with noise that repeats itself."""
    return [
        CHANCE + (top - CHANCE) * (1 - 2 ** (-epoch / halfway)) + NOISE * math.sin(2.4 * epoch)
        for epoch in range(1, epochs + 1)
    ]


def ended(scores: list[float], patience: int) -> bool:
    return waited_enough(scores, patience=patience, chance=CHANCE, least_rise=Classification().least_rise)


def end_of(scores: list[float], patience: int = 3) -> int | None:
    """The first epoch after which it has waited enough."""
    lengths = range(1, len(scores) + 1)
    return next((n for n in lengths if ended(scores[:n], patience)), None)


def judged(scores: list[float], accuracy: float, *, stopped: str, chance: float) -> bool:
    """Whether a training of a classifier with these scores and this last accuracy had converged."""
    still_learning = Classification().still_learning(
        {"accuracy": accuracy, "true_label_probability": scores[-1]}, SharedProtocol()
    )
    return judge(
        scores,
        stopped=stopped,
        best_epoch=len(scores),
        chance=chance,
        still_learning=still_learning,
        least_rise=Classification().least_rise,
    ).converged


@pytest.mark.parametrize("halfway", [0.5, 1, 2, 4, 8])
def test_it_waits_until_little_is_left_to_gain(halfway: float) -> None:
    scores = rise(200, halfway=halfway)
    end = end_of(scores)
    assert end is not None
    assert scores[end - 1] > 0.9 - 0.06
    assert end < 12 * halfway + 8


def test_it_waits_through_a_plateau_at_which_nothing_was_learned() -> None:
    nothing = [CHANCE + LEARNED / 2] * 30
    assert end_of(nothing) is None
    assert end_of([*nothing, *rise(60, halfway=2)]) is not None


def test_more_patience_waits_longer() -> None:
    scores = rise(100, halfway=3)
    ends = [end_of(scores, patience) for patience in (1, 3, 6)]
    assert None not in ends
    assert ends == sorted(set(ends))  # type: ignore[type-var]


@pytest.mark.parametrize("halfway", [1, 2, 4, 8])
def test_a_run_cut_short_is_marked_and_a_finished_one_is_not(halfway: float) -> None:
    """Cut at a third of the epochs that it needs, whatever cut it; finished: ended by patience, or long after."""
    scores = rise(200, halfway=halfway)
    end = end_of(scores)
    assert end is not None
    for cut in range(2, max(3, end // 3)):
        short = scores[:cut]
        accuracy = min(0.9, short[-1] + 0.3)  # above the mean probability, as in networks early in training
        assert not judged(short, accuracy, stopped="cap", chance=CHANCE), cut
    for stopped, epochs in (("patience", end + cooldown_epochs(end)), ("cap", 3 * end)):
        done = scores[:epochs]
        assert judged(done, done[-1] + 0.02, stopped=stopped, chance=CHANCE)


def test_a_network_that_learned_nothing_is_marked_also_when_its_labels_are_unbalanced() -> None:
    """Nine of ten rows have one label: right in 90 % without having learned anything."""
    chance = Classification().chance_score([(0,)] * 9 + [(1,)])
    assert chance == pytest.approx(0.82)
    flat = [0.83] * 9
    assert not judged(flat, 0.9, stopped="cap", chance=chance)


def test_rate_is_constant_until_the_decay_and_falls_to_zero_at_the_end() -> None:
    factors = [rate_factor(step, warmup=2, decay_from=6, end=10) for step in range(11)]
    assert factors == pytest.approx([0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0])
    assert rate_factor(7, warmup=2, decay_from=None, end=10) == 1.0


def trained(scores: list[float], **protocol: object) -> tuple[list[float], list[float | None], object, object]:
    """Train on a score for each epoch; return rates, and how it ended."""
    given = iter(scores)
    run = replace(
        run_of(TinyClassifier(), patience_epochs=3, **protocol),
        validate=lambda: scored(next(given)),
        validation_targets=DIFFERENT,
    )
    progress = train(run)
    return progress.curve["learning_rate"], progress.curve["loss"], convergence(run, progress), progress  # type: ignore[return-value]


def test_the_loop_winds_down_when_it_has_waited_enough() -> None:
    """Three steps an epoch: progress until epoch 4, three epochs waited, ceil(0.3 x 7) = 3 more to wind down."""
    rates, _, ended, _ = trained([0.2, 0.4, 0.6, 0.8, *[0.8] * 40], epochs=40)
    assert (ended.stopped, ended.epochs, ended.converged) == ("patience", 10, True)  # type: ignore[attr-defined]
    assert len(rates) == 30
    assert rates[2:22] == pytest.approx([1e-2] * 20)
    assert rates[21:] == pytest.approx([1e-2 * (1 - step / 9) for step in range(9)])


@pytest.mark.parametrize("cap", [1, 2, 3, 5, 12])
def test_the_cap_is_kept_and_the_rate_has_fallen_by_then(cap: int) -> None:
    rates, _, ended, _ = trained([0.02 * epoch for epoch in range(1, 60)], epochs=cap)
    assert len(rates) == 3 * cap
    assert rates[-1] is not None
    assert rates[-1] < 0.51e-2
    assert (ended.stopped, ended.converged) == ("cap", False)  # type: ignore[attr-defined]


def test_seconds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that counts a second a step: 20 seconds are 20 steps, the last of them with a falling rate."""
    seen: list[int] = []

    class Counting(PhaseClock):
        def seconds(self, name: str) -> float:
            return float(len(seen))

    given = iter([0.05 * epoch for epoch in range(1, 60)])
    run = run_of(TinyClassifier(), patience_epochs=3, epochs=40, max_seconds=20)
    clock = Counting(run.clock._memory)
    run = replace(run, clock=clock, validate=lambda: scored(next(given)), validation_targets=DIFFERENT)

    class Telling:
        def step(self, **_: object) -> None:
            seen.append(1)

        def say(self, message: str) -> None:
            raise AssertionError(message)

    progress = train(replace(run, watcher=Telling()))
    assert convergence(run, progress).stopped == "seconds"
    assert 19 <= progress.step <= 20
    assert progress.curve["learning_rate"][-1] < 0.5e-2  # type: ignore[operator]


def test_weights_that_are_no_numbers_after_an_epoch_end_the_run() -> None:
    """The last step of an epoch can spoil them after its own loss was still a number."""
    with pytest.raises(FloatingPointError, match="validation loss is nan after epoch 1"):
        train(replace(run_of(TinyClassifier()), validate=lambda: scored(math.nan, math.nan)))


def test_early_stopping_repeats_itself_to_the_bit() -> None:
    scores = [0.2, 0.4, 0.6, 0.6, 0.6, 0.6, *[0.6] * 20]
    torch.manual_seed(1)
    first = trained(scores, epochs=30)
    torch.manual_seed(1)
    second = trained(scores, epochs=30)
    assert first[:3] == second[:3]


@pytest.mark.parametrize(("smoothing", "learning"), [(0.0, True), (0.3, False)])
def test_label_smoothing_is_no_sign_of_a_training_cut_short(smoothing: float, learning: bool) -> None:
    """With 0.3 and three labels, a converged network gives the right label a probability of about 0.8."""
    values = {"accuracy": 1.0, "true_label_probability": 0.77}
    assert Classification().still_learning(values, SharedProtocol(label_smoothing=smoothing)) == learning


def test_the_last_points_of_a_token_s_probability_count_as_progress() -> None:
    """At 94 %, a third of a point is a twentieth of all errors: training goes on, or is marked where it is cut."""
    task = Generation()
    rising = [0.80, 0.90, 0.940, 0.9435, 0.947, 0.9495]
    flat = [0.80, 0.90, 0.940, 0.941, 0.941, 0.942]
    patience = {"patience": 3, "chance": 0.0}
    assert waited_enough(rising, **patience, least_rise=Classification().least_rise), "points, as of labels"
    assert not waited_enough(rising, **patience, least_rise=task.least_rise)
    assert waited_enough(flat, **patience, least_rise=task.least_rise)
    for scores, converged in ((rising, False), (flat, True)):
        found = judge(scores, stopped="cap", best_epoch=6, chance=0.0, still_learning=False, least_rise=task.least_rise)
        assert found.converged == converged
