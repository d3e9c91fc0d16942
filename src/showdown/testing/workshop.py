"""What the checks of the conformance suite share: tiny models, processed rows, trained methods, a fresh process."""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from showdown.core.events import EventWriter
from showdown.core.files import write_text
from showdown.core.method import FittedMethod, TunedMethod
from showdown.core.spec import DataSpec, ModelSpec, RunSpec, SharedProtocol
from showdown.core.split import SingleSplit
from showdown.methods.table import build, method_class
from showdown.testing.fresh import FreshProcess
from showdown.testing.tiny import job_for, make_pretrained, separable_rows, write_csv

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from showdown.stages.results import TrainStage

    Scores2D = npt.NDArray[np.float64]

TEXTS = separable_rows(16, start=100).texts
"""Texts that no method is trained on."""
LIMIT = 64
"""Tokens after which texts are cut."""
_ROWS = 84


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A method trained on a tiny model, as the training stage of a run trains it."""

    folder: Path
    """Of the run, with its `artifact`."""
    spec: RunSpec
    stage: "TrainStage"
    losses: list[float]
    """Of each step."""
    scores: "Scores2D"
    """Of `TEXTS`, by the trained module before it was saved; shape (texts, labels)."""


class Workshop:
    """Makes what checks share when it is first needed, in one folder. As a context manager it ends its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fresh = FreshProcess()
        self._models: dict[str, Path] = {}
        self._trained: dict[tuple[str, str, int], Trained] = {}
        self._processed: Path | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the fresh process."""
        self.fresh.close()

    def model(self, family: str) -> Path:
        """Return the folder of a tiny pretrained model of a family of `showdown.testing.tiny`."""
        if family not in self._models:
            self._models[family] = self.folder / "models" / family
            self._models[family].mkdir(parents=True)
            make_pretrained(family, self._models[family])
        return self._models[family]

    def trained(self, method: str, family: str, *, epochs: int = 4) -> Trained:
        """Return a method trained with its own settings on a tiny model; each is trained once."""
        key = (method, family, epochs)
        if key not in self._trained:
            folder = self.folder / "runs" / f"{method}-{family}-{epochs}"
            folder.mkdir(parents=True, exist_ok=True)
            self._trained[key] = _train(_spec(method, self.model(family), epochs), folder, self._rows())
        return self._trained[key]

    def _rows(self) -> Path:
        """Return the folder of 84 rows, of which 60 train, prepared as a comparison prepares them."""
        from showdown.data.prepare import prepare, write_prepared

        if self._processed is None:
            source = write_csv(self.folder / "rows.csv", separable_rows(_ROWS))
            prepared = prepare(DataSpec(source=str(source), near_duplicate_jaccard=0.99), SingleSplit())
            write_prepared(prepared, self.folder / "processed")
            self._processed = self.folder / "processed"
        return self._processed


def tuned(name: str, settings: Mapping[str, Any] | None = None) -> TunedMethod:
    """Return a method that trains a network."""
    method = build(name, dict(settings or {}))
    assert isinstance(method, TunedMethod)
    return method


def fitted(name: str) -> FittedMethod:
    """Return a method that fits itself."""
    method = build(name, {})
    assert isinstance(method, FittedMethod)
    return method


def _spec(method: str, model: Path, epochs: int) -> RunSpec:
    return RunSpec(
        name=method,
        method=method,
        settings=build(method, {}).settings.model_dump(),
        model=ModelSpec(id=str(model)),
        protocol=SharedProtocol(dropout=0.0, epochs=epochs, patience_epochs=None, effective_batch_rows=12),
        seed=0,
        data_fingerprint="none",
    )


def _train(spec: RunSpec, folder: Path, processed: Path) -> Trained:
    from showdown.stages.results import TrainStage
    from showdown.stages.train import train_run

    scores: list[Scores2D] = []
    write_text(folder / "spec.json", spec.model_dump_json())
    with _scored_before_saving(spec, scores):
        train_run(spec, folder, processed, EventWriter(io.StringIO()))
    return Trained(
        folder=folder,
        spec=spec,
        stage=TrainStage.model_validate_json((folder / "train.json").read_bytes()),
        losses=json.loads((folder / "curve.json").read_text(encoding="utf-8"))["training"]["loss"],
        scores=scores[0],
    )


@contextmanager
def _scored_before_saving(spec: RunSpec, scores: "list[Scores2D]") -> Iterator[None]:
    """Have a method's `save` score `TEXTS` first: the trained module is gone when the stage is over."""
    kind: Any = method_class(spec.method)
    own, save = kind.__dict__.get("save"), kind.save

    def score_and_save(self: TunedMethod, module: "torch.nn.Module", into: Path) -> None:
        scores.append(scores_of(module, Path(spec.model.id)))
        save(self, module, into)

    kind.save = score_and_save
    try:
        yield
    finally:
        if own is None:
            del kind.save
        else:
            kind.save = own


def scores_of(module: "torch.nn.Module", model: Path) -> "Scores2D":
    """Return the scores of `TEXTS` by a network, shape (texts, labels)."""
    import numpy as np

    from showdown.engine.forward import choose_forward
    from showdown.models.tokens import load_tokenizer

    tokenizer = load_tokenizer(model)
    forward = choose_forward(module, pad_token_id=int(tokenizer.pad_token_id), device="cpu")
    module.eval()
    job = job_for(model)
    predictor = job.task.predictor(module, forward, tokenizer, LIMIT, job.protocol)
    return np.asarray(predictor.answer(TEXTS, batch_rows=4))
