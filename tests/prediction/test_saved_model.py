"""A saved model's description may come from elsewhere: whatever it says, opening it ends in one line or in answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.core.manifest import write_sizes
from showdown.core.method import FittedMethod
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.table import build
from showdown.prediction.load import load_model
from showdown.stages.artifact import write_description
from tiny_pretrained import LABELS, job, separable_rows


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A saved majority baseline, which opens no network."""
    folder = tmp_path / "artifact"
    folder.mkdir()
    method = build("majority", {})
    assert isinstance(method, FittedMethod)
    fitted = method.fit(separable_rows(24), job(tmp_path), validation=separable_rows(6, start=24))
    method.save(fitted.predictor, folder)
    write_sizes(folder)
    spec = RunSpec(
        name="majority",
        method="majority",
        settings={},
        model=ModelSpec(id=str(tmp_path)),
        protocol=SharedProtocol(),
        seed=0,
        data_fingerprint="f" * 64,
        needs="text",
    )
    write_description(folder, tmp_path, spec, LABELS, score_kind="probability", limit=None)
    return folder


def bend(artifact: Path, *place: str, value: Any) -> None:
    path = artifact / "model.json"
    written = inner = json.loads(path.read_text())
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(written))


def test_a_whole_model_predicts(artifact: Path) -> None:
    model = load_model(artifact)
    (found,) = model.predict(["oven dough"])
    assert (found.label in LABELS, found.score_kind) == (True, "probability")
    with pytest.raises(UserError, match="text 2 of 2 is empty"):
        model.predict(["oven", " "])
    with pytest.raises(UserError, match="kept no thresholds"):
        model.predict(["oven"], coverage=0.9)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("labels",), ["a"]),
        (("labels",), []),
        (("labels",), [*LABELS, "one more"]),
        (("labels",), "abc"),
        (("clean",), "eval"),
        (("task",), "generation"),
        (("score_kind",), "votes"),
        (("spec", "method"), "os.system"),
        (("spec", "method"), "lora"),
        (("spec", "settings"), {"x": 1}),
        (("spec", "task"), "nothing"),
        (("spec", "seed"), "zero"),
        (("spec",), None),
        (("more",), 1),
    ],
)
def test_a_description_that_cannot_be_true_is_one_line(artifact: Path, place: tuple[str, ...], value: Any) -> None:
    bend(artifact, *place, value=value)
    with pytest.raises(UserError) as caught:
        load_model(artifact).predict(["oven dough"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800


def test_a_model_that_is_cut_short_is_named(artifact: Path) -> None:
    (artifact / "shares.json").write_text("[")
    with pytest.raises(UserError, match=r"shares\.json is cut short or missing; copy the whole folder again"):
        load_model(artifact)
