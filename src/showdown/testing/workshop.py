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
from showdown.core.metric import CLASSIFICATION
from showdown.core.spec import ModelSpec, RunSpec
from showdown.core.split import SingleSplit
from showdown.methods.table import build, method_class
from showdown.testing.fresh import FreshProcess
from showdown.testing.material import MATERIALS, Answered, Material
from showdown.testing.tiny import make_pretrained

if TYPE_CHECKING:
    import torch

    from showdown.stages.results import TrainStage
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
    answered: Answered
    """By the trained module before it was saved."""


class Workshop:
    """Makes what checks share when it is first needed, in one folder. As a context manager it ends its process."""

    def __init__(self, folder: Path, *, task: str = CLASSIFICATION, fresh: FreshProcess | None = None) -> None:
        """Prepare.

        Args:
            folder: an existing one.
            task: what methods are tried on.
            fresh: the process in which saved models answer; None for a new one.

        """
        self.folder = folder
        self.material = MATERIALS[task]
        self.fresh = fresh or FreshProcess()
        self._others: dict[str, Workshop] = {}
        self._models: dict[str, Path] = {}
        self._trained: dict[tuple[str, str, int], Trained] = {}
        self._processed: Path | None = None

    def of(self, task: str) -> "Workshop":
        """Return the workshop of a task, with the same process."""
        if task == self.material.task:
            return self
        if task not in self._others:
            folder = self.folder / task
            folder.mkdir()
            self._others[task] = Workshop(folder, task=task, fresh=self.fresh)
        return self._others[task]

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
            make_pretrained(family, self._models[family], chat=self.material.chat)
        return self._models[family]

    def trained(self, method: str, family: str, *, epochs: int | None = None) -> Trained:
        """Return a method trained with its own settings on a tiny model; each is trained once."""
        epochs = epochs or self.material.epochs
        key = (method, family, epochs)
        if key not in self._trained:
            folder = self.folder / "runs" / f"{method}-{family}-{epochs}"
            folder.mkdir(parents=True, exist_ok=True)
            spec = _spec(method, self.model(family), epochs, self.material)
            self._trained[key] = _train(spec, folder, self.rows())
        return self._trained[key]

    def rows(self) -> Path:
        """Return the folder of 84 rows, of which 60 train, prepared as a comparison prepares them."""
        from showdown.data.prepare import prepare, write_prepared

        if self._processed is None:
            data = self.material.source(self.folder, _ROWS).model_copy(update={"near_duplicate_jaccard": 0.99})
            prepared = prepare(data, SingleSplit(), self.material.task)
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


def _spec(method: str, model: Path, epochs: int, material: Material) -> RunSpec:
    protocol = {"dropout": 0.0, "epochs": epochs, "effective_batch_rows": 12}
    return RunSpec(
        name=method,
        method=method,
        settings=build(method, {}).settings.model_dump(),
        model=ModelSpec(id=str(model)),
        protocol=material.job(model, **protocol).protocol,
        seed=0,
        data_fingerprint="none",
        task=material.task,
    )


def _train(spec: RunSpec, folder: Path, processed: Path) -> Trained:
    from showdown.stages.results import TrainStage
    from showdown.stages.train import train_run

    answers: list[Answered] = []
    write_text(folder / "spec.json", spec.model_dump_json())
    with _answered_before_saving(spec, answers):
        train_run(spec, folder, processed, EventWriter(io.StringIO()))
    return Trained(
        folder=folder,
        spec=spec,
        stage=TrainStage.model_validate_json((folder / "train.json").read_bytes()),
        losses=json.loads((folder / "curve.json").read_text(encoding="utf-8"))["training"]["loss"],
        answered=answers[0],
    )


@contextmanager
def _answered_before_saving(spec: RunSpec, answers: list[Answered]) -> Iterator[None]:
    """Have a method's `save` answer what is asked first: the trained module is gone when the stage is over."""
    kind: Any = method_class(spec.method)
    own, save = kind.__dict__.get("save"), kind.save

    def answer_and_save(self: TunedMethod, module: "torch.nn.Module", into: Path) -> None:
        answers.append(answers_of(module, Path(spec.model.id), MATERIALS[spec.task]))
        save(self, module, into)

    kind.save = answer_and_save
    try:
        yield
    finally:
        if own is None:
            del kind.save
        else:
            kind.save = own


def answers_of(module: "torch.nn.Module", model: Path, material: Material) -> Answered:
    """Return what a network answers."""
    from showdown.engine.forward import choose_forward
    from showdown.models.tokens import load_tokenizer

    tokenizer = load_tokenizer(model)
    forward = choose_forward(module, pad_token_id=int(tokenizer.pad_token_id), device="cpu")
    module.eval()
    job = material.job(model)
    return material.answered(job.task.predictor(module, forward, tokenizer, material.limit, job.protocol))
