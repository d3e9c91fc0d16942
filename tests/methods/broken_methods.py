"""Methods of an outside package, each with one fault that the conformance suite must find."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from showdown.core.method import Fitted, FittedMethod, TunedMethod
from showdown.core.parameter_group import ParameterGroup
from showdown.core.predictor import Classifier
from showdown.core.traits import Traits
from showdown.methods.bitfit import BitFit
from showdown.methods.full import Full
from showdown.methods.lora import Lora, LoraSettings


class Sound(Lora):
    """Without a fault."""

    title = "Sound"
    summary = "LoRA of half the rank"

    def config(self, network: Any) -> Any:
        found = super().config(network)
        found.r = self.settings.rank // 2 or 1
        return found

    def adapter_parameters(self, network: Any) -> int:
        rank = self.settings.rank // 2 or 1
        return sum(rank * sum(widths) for widths in self._target_widths(network))


class Unused(Sound):
    """A tensor is set to learn that has no part in the network."""

    def adapt(self, network: Any) -> Any:
        module: Any = super().adapt(network)
        module.get_base_model().unused = nn.Parameter(torch.ones(3))
        return module


class LosesOne(Sound):
    """A tensor is in no parameter group."""

    def parameter_groups(self, module: Any) -> list[ParameterGroup]:
        first, *rest = super().parameter_groups(module)
        return [ParameterGroup(names=first.names[1:]), *rest]


class Drifts(Sound):
    """A frozen tensor changes in a step."""

    def adapt(self, network: Any) -> Any:
        module: Any = super().adapt(network)
        bias = module.get_base_model().bert.embeddings.LayerNorm.bias

        def drift(_: torch.Tensor) -> None:
            bias.data.add_(1.0)

        for value in module.parameters():
            if value.requires_grad:
                value.register_hook(drift)
        return module


class RsLoraSettings(LoraSettings):
    use_rslora: bool = False


class RsLora(Sound):
    """A flag that reaches PEFT under another name: nothing changes."""

    Settings = RsLoraSettings


class AlsoLora(Lora):
    """A class flag that nothing reads."""

    title = "rsLoRA"
    summary = "LoRA scaled by the root of its rank"
    use_rslora = True


class Miscounts(Sound):
    """The head is not counted."""

    def declared_parameters(self, network: Any) -> int:
        return self.adapter_parameters(network)


class LeavesHook(Sound):
    """A hook stays on the network."""

    def adapt(self, network: Any) -> Any:
        network.module.bert.embeddings.register_forward_hook(lambda *_: None)
        return super().adapt(network)


class LeavesAttribute(Sound):
    """An attribute stays on a layer."""

    def adapt(self, network: Any) -> Any:
        network.module.bert.encoder.layer[0].tuned_by = "me"
        return super().adapt(network)


class LeavesModule(Sound):
    """A module of its own stays in the network."""

    def strip(self, module: Any) -> Any:
        base: Any = super().strip(module)
        base.extra = nn.Linear(2, 2)
        return base


class LeavesChange(BitFit):
    """Tensors stay as they were trained."""

    title = "Forgets"

    def strip(self, module: Any) -> Any:
        for value in module.parameters():
            value.grad = None
        return module


class LeavesGradients(BitFit):
    """Gradients stay on what learned."""

    title = "Keeps"

    def strip(self, module: Any) -> Any:
        gradients = {name: value.grad for name, value in module.named_parameters()}
        base = super().strip(module)
        for name, value in base.named_parameters():
            value.grad = gradients[name]
        return base


class SaysItLeaves(Full):
    """It says that the network is as it was, and has nothing to give back."""

    title = "Says so"
    leaves_network = True


class OwnRate(Sound):
    """The user's learning rate is not heard."""

    def learning_rate(self, width: int) -> float:
        return 5e-3


class Slow(Sound):
    """A rate at which nothing is learned."""

    rate_factor = 1e-3


class MixesRows(Sound):
    """A row's answer depends on the others of its micro-batch."""

    def adapt(self, network: Any) -> Any:
        network.module.classifier.register_forward_hook(lambda _, __, found: found - found.mean(dim=0))
        return super().adapt(network)


class ForgetsHead(Sound):
    """The head is not saved, and drawn anew."""

    def save(self, module: Any, folder: Path) -> None:
        with torch.no_grad():
            for name, value in module.named_parameters():
                if ".modules_to_save." in name:
                    value.mul_(-1.0)
        super().save(module, folder)


class CannotReload(Sound):
    """What was saved cannot be read again."""

    def reload(self, folder: Path, load_network: Any) -> Any:
        raise ValueError("no reading here")


class Votes(Classifier):
    """Shares of the labels, or what a fault makes of them."""

    score_kind = "probability"

    def __init__(self, shares: Any, fault: str) -> None:
        self.shares, self.fault = shares, fault

    def scores(self, texts: Any, *, batch_rows: int) -> Any:
        found = np.tile(self.shares, (len(texts), 1))
        if self.fault == "sum":
            return found * 2
        if self.fault == "shape":
            return found[:, :1]
        if self.fault == "nan":
            return found * np.nan
        return found + batch_rows if self.fault == "batch" else found


class FittedBase(FittedMethod):
    title = "Votes"
    summary = "shares of the labels"
    traits = Traits(role="cheap", deterministic=True, reads="nothing")
    fault = ""

    def fit(self, train: Any, job: Any, *, validation: Any) -> Fitted:
        shares = np.bincount(train.targets, minlength=len(job.labels)) / len(train)
        return Fitted(predictor=Votes(shares, self.fault), trainable_parameters=0, total_parameters=0)

    def save(self, classifier: Any, folder: Path) -> None:
        (folder / "shares.txt").write_text(" ".join(map(str, classifier.shares)))

    def load(self, folder: Path, job: Any) -> Votes:
        return Votes(np.array([float(share) for share in (folder / "shares.txt").read_text().split()]), self.fault)


class Doubles(FittedBase):
    fault = "sum"


class OneColumn(FittedBase):
    fault = "shape"


class NoNumbers(FittedBase):
    fault = "nan"


class ByBatch(FittedBase):
    fault = "batch"


class Rounds(FittedBase):
    def save(self, classifier: Any, folder: Path) -> None:
        (folder / "shares.txt").write_text(" ".join(f"{share:.1f}" for share in classifier.shares + 0.2))


METHODS = [
    found
    for found in list(globals().values())
    if isinstance(found, type) and found.__module__ == __name__ and issubclass(found, (TunedMethod, FittedMethod))
]
