"""Methods of an outside package that write answers, each with one fault that the conformance suite must find."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from showdown.core.method import Fitted, FittedMethod, TunedMethod
from showdown.core.predictor import Writer, Written
from showdown.core.traits import Traits
from showdown.methods.lora import Lora
from showdown.methods.most_common import ConstantWriter, MostCommon
from showdown.methods.zero_shot import ZeroShot


class FaultyWriter(Writer):
    """A sound writer, and what a fault makes of its answers."""

    def __init__(self, sound: Any, fault: str) -> None:
        self.sound, self.fault = sound, fault

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        found: list[Written] = self.sound.write(prompts, batch_rows=batch_rows)
        changes: dict[str, Any] = {
            "lost": lambda: found[:-1],
            "batch": lambda: [replace(one, text=f"{one.text} {batch_rows}") for one in found],
            "order": lambda: [replace(one, text=text) for one, text in zip(found, sorted(prompts), strict=True)],
            "long": lambda: [replace(one, tokens=99) for one in found],
            "timeless": lambda: [replace(one, first_token_seconds=None) for one in found],
            "cut": lambda: [replace(one, tokens=1, finished=False) for one in found],
        }
        return list(changes.get(self.fault, lambda: found)())

    def token_losses(self, prompts: Sequence[str], answers: Sequence[str]) -> Any:
        found = self.sound.token_losses(prompts, answers)
        if self.fault == "sums":
            return found[:, 0]
        if self.fault == "infinite":
            return found * np.inf
        if self.fault == "prompt too":
            return found + np.array([[0.0, 20.0]])
        return found * [len(prompts), 1] if self.fault == "rows" else found


class Wraps(ZeroShot):
    """Without a fault."""

    title = "Wraps"
    summary = "the pretrained model"
    tasks = frozenset({"generation"})
    fault = ""

    def fit(self, train: Any, job: Any, *, validation: Any) -> Fitted:
        found = super().fit(train, job, validation=validation)
        return replace(found, predictor=FaultyWriter(found.predictor, self.fault))

    def load(self, folder: Path, job: Any) -> FaultyWriter:
        return FaultyWriter(super().load(folder, job), self.fault)


class LosesOneAnswer(Wraps):
    fault = "lost"


class WritesByBatch(Wraps):
    fault = "batch"


class Sorts(Wraps):
    fault = "order"


class WritesOn(Wraps):
    fault = "long"


class Timeless(Wraps):
    fault = "timeless"


class CutsShort(Wraps):
    fault = "cut"


class OneLoss(Wraps):
    fault = "sums"


class InfiniteLoss(Wraps):
    fault = "infinite"


class CountsPrompts(Wraps):
    fault = "prompt too"


class LossByBatch(Wraps):
    fault = "rows"


class Labels(FittedMethod):
    """It answers with a classifier."""

    title = "Labels"
    summary = "labels for a task without labels"
    tasks = frozenset({"generation"})
    traits = Traits(role="cheap", deterministic=True, reads="nothing")

    def fit(self, train: Any, job: Any, *, validation: Any) -> Fitted:
        from showdown.methods.majority import MajorityClassifier

        return Fitted(predictor=MajorityClassifier([1.0]), trainable_parameters=0, total_parameters=0)

    def save(self, predictor: Any, folder: Path) -> None: ...

    def load(self, folder: Path, job: Any) -> Any: ...


class Shortens(MostCommon):
    """What is saved is not what was fitted."""

    def save(self, writer: ConstantWriter, folder: Path) -> None:
        super().save(ConstantWriter(writer.text[:2]), folder)


class Careless(MostCommon):
    """It makes something of nothing."""

    def fit(self, train: Any, job: Any, *, validation: Any) -> Fitted:
        if not train.answers:
            return Fitted(predictor=ConstantWriter(""), trainable_parameters=0, total_parameters=0)
        return super().fit(train, job, validation=validation)


class OldFit(MostCommon):
    """As methods were before they saw the validation rows."""

    def fit(self, train: Any, job: Any) -> Fitted:  # type: ignore[override]
        return super().fit(train, job, validation=train)


class SoundWriter(Lora):
    """Without a fault."""

    title = "Sound writer"
    summary = "LoRA of half the weight"
    tasks = frozenset({"generation"})

    def config(self, network: Any) -> Any:
        found: Any = super().config(network)
        found.lora_alpha = self.settings.alpha / 2
        return found


class TurnsAdapters(SoundWriter):
    """What is saved are other adapters than were trained."""

    def save(self, module: Any, folder: Path) -> None:
        with torch.no_grad():
            for name, value in module.named_parameters():
                if ".lora_B." in name:
                    value.mul_(-1.0)
        super().save(module, folder)


class SlowWriter(SoundWriter):
    """A rate at which nothing is learned."""

    rate_factor = 1e-3


METHODS = [
    found
    for found in list(globals().values())
    if isinstance(found, type) and found.__module__ == __name__ and issubclass(found, (TunedMethod, FittedMethod))
]
