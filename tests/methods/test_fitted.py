"""What every method that fits itself must do. A new line in the table is covered too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pytest
from safetensors import SafetensorError
from skops.io.exceptions import UntrustedTypesFoundException

from canary import Canary, canary
from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.method import FittedMethod, Job
from showdown.methods.table import METHODS, build, method_class
from showdown.methods.tfidf import TfIdf
from showdown.models.companions import is_companion
from tiny_pretrained import DECODERS, ENCODERS, LABELS, job, separable_rows

FITTED = [
    name
    for name in METHODS
    if issubclass(method_class(name), FittedMethod) and "classification" in method_class(name).tasks
]
BASES = {"few-shot": "mistral"}
"""A model that a method can use, where that is not BERT."""
LEARNING = [name for name in FITTED if method_class(name).learns and method_class(name).traits.role != "prompted"]
"""Methods that know nothing of a label without training rows."""
HELD_OUT = separable_rows(12, start=48)
ASKED = separable_rows(12, start=60)


def fitted_and_reloaded(name: str, rows: Examples, asked: Job, folder: Path) -> np.ndarray:
    """Fit, save, load anew; return the scores after having checked that they are those of before."""
    method = build(name, {})
    assert isinstance(method, FittedMethod)
    fitted = method.fit(rows, asked, validation=only(HELD_OUT, set(range(len(asked.labels)))))
    folder.mkdir()
    method.save(fitted.predictor, folder)
    again = build(name, {})
    assert isinstance(again, FittedMethod)
    before = fitted.predictor.scores(ASKED.texts, batch_rows=5)
    after = again.load(folder, asked).scores(ASKED.texts, batch_rows=5)
    assert np.array_equal(before, after)
    assert before.shape == (len(ASKED), len(asked.labels))
    assert np.isfinite(before).all()
    return before


def only(rows: Examples, targets: set[int]) -> Examples:
    kept = [index for index, target in enumerate(rows.targets) if target in targets]
    return Examples(
        texts=tuple(rows.texts[index] for index in kept),
        targets=tuple(rows.targets[index] for index in kept),
        row_ids=tuple(rows.row_ids[index] for index in kept),
        duplicate_groups=tuple(rows.duplicate_groups[index] for index in kept),
    )


@pytest.mark.parametrize("name", FITTED)
def test_answers_the_same_after_saving_and_loading(
    pretrained: Callable[[str], Path], tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """And no library writes on the terminal of who asks."""
    asked = job(pretrained(BASES.get(name, "bert")))
    capfd.readouterr()
    scores = fitted_and_reloaded(name, separable_rows(48), asked, tmp_path / "saved")
    assert capfd.readouterr() == ("", "")
    if name in ("tfidf", "frozen"):
        right = float((scores.argmax(axis=1) == np.array(ASKED.targets)).mean())
        assert right > 0.8


@pytest.mark.parametrize("name", [name for name in FITTED if method_class(name).traits.deterministic])
def test_a_deterministic_method_answers_alike_with_every_seed(
    pretrained: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    asked = job(pretrained(BASES.get(name, "bert")))
    rows = separable_rows(48)
    one, other = (
        fitted_and_reloaded(name, rows, replace(asked, seed=seed), tmp_path / f"seed-{seed}").argmax(axis=1)
        for seed in (1, 2)
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ["zero-shot", "frozen"])
@pytest.mark.parametrize("family", [*ENCODERS, *DECODERS])
def test_every_family_serves(pretrained: Callable[[str], Path], tmp_path: Path, name: str, family: str) -> None:
    folder = pretrained(family)
    asked = job(folder, max_tokens=32)
    if (name, family) == ("zero-shot", "mistral-window"):
        with pytest.raises(UserError, match="the template and the longest label alone take"):
            fitted_and_reloaded(name, separable_rows(24), asked, tmp_path / "saved")
        return
    fitted_and_reloaded(name, separable_rows(24), asked, tmp_path / "saved")


def test_zero_shot_takes_another_model_and_says_so(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    other = pretrained("nli")
    method = build("zero-shot", {"model": str(other)})
    assert isinstance(method, FittedMethod)
    fitted = method.fit(separable_rows(24), job(pretrained("bert")), validation=HELD_OUT)
    assert fitted.notes == (f"zero-shot by entailment with {other}, template `This text is about {{label}}.`",)
    assert fitted.predictor.score_kind == "probability"
    method.save(fitted.predictor, tmp_path)
    again = method.load(tmp_path, job(pretrained("bert"))).scores(ASKED.texts, batch_rows=5)
    assert np.array_equal(fitted.predictor.scores(ASKED.texts, batch_rows=5), again)


@pytest.mark.parametrize("name", FITTED)
def test_a_pickle_in_the_place_of_what_was_saved_is_not_run(
    pretrained: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    asked, folder = job(pretrained(BASES.get(name, "bert"))), tmp_path / "saved"
    fitted_and_reloaded(name, separable_rows(24), asked, folder)
    (saved,) = (path for path in folder.iterdir() if path.name != "manifest.json" and not is_companion(path))
    saved.write_bytes(canary(tmp_path / "sung"))
    method = build(name, {})
    assert isinstance(method, FittedMethod)
    with pytest.raises((ValueError, SafetensorError, BadZipFile)):
        method.load(folder, asked)
    assert not (tmp_path / "sung").exists()


def test_a_pipeline_that_holds_more_than_numbers_is_refused(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    """skops rebuilds nothing but what it trusts."""
    import skops.io

    skops.io.dump(Canary(tmp_path / "sung"), tmp_path / "pipeline.skops")
    with pytest.raises(UntrustedTypesFoundException):
        TfIdf(TfIdf.Settings()).load(tmp_path, job(pretrained("bert")))
    assert not (tmp_path / "sung").exists()


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("name", LEARNING)
def test_a_label_that_was_never_trained_on_never_wins(
    pretrained: Callable[[str], Path], tmp_path: Path, name: str, missing: int
) -> None:
    """Two labels are left, which scikit-learn stores otherwise than three: the right ones must win."""
    left = {0, 1, 2} - {missing}
    scores = fitted_and_reloaded(
        name, only(separable_rows(48), left), job(pretrained(BASES.get(name, "bert"))), tmp_path / "saved"
    )
    answers = scores.argmax(axis=1)
    assert missing not in answers
    if name != "majority":
        known = [index for index, target in enumerate(ASKED.targets) if target in left]
        assert (answers[known] == np.array(ASKED.targets)[known]).mean() > 0.8


@pytest.mark.parametrize("name", FITTED)
def test_two_labels_alone(pretrained: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    asked = replace(job(pretrained(BASES.get(name, "bert"))), labels=LABELS[:2])
    rows = only(separable_rows(48), {0, 1})
    scores = fitted_and_reloaded(name, rows, asked, tmp_path / "saved")
    if name in ("tfidf", "frozen"):
        known = [index for index, target in enumerate(ASKED.targets) if target < 2]
        assert (scores.argmax(axis=1)[known] == np.array(ASKED.targets)[known]).mean() > 0.8
