"""A method's network in the middle of a check: adapted, stepped, and what can be seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.method import TunedMethod
from showdown.core.task import ForwardPath
from showdown.testing.material import Material

if TYPE_CHECKING:
    import torch

    from showdown.models.network import Network

STEP_ROWS = 12
"""Rows of one step."""
_NOISE = 0.1


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A network that a method has adapted."""

    method: TunedMethod
    material: Material
    model: Path
    network: "Network"
    """As it was loaded; a method may have changed its module in place."""
    module: "torch.nn.Module"
    forward: ForwardPath

    def learning(self) -> "dict[str, torch.nn.Parameter]":
        """Return the parameters that learn, by name."""
        return {name: value for name, value in self.module.named_parameters() if value.requires_grad}

    def values(self) -> "dict[str, torch.Tensor]":
        """Return copies of all parameters, by name."""
        return {name: value.detach().clone() for name, value in self.module.named_parameters()}

    def accumulate(self, micro_rows: int) -> None:
        """Add the gradients of the mean loss over the rows of a step, so many rows at a time."""
        import torch

        from showdown.engine.accumulate import EagerAccumulator
        from showdown.models.tokens import load_tokenizer

        job, examples = self.material.job(self.model), self.material.rows(STEP_ROWS)
        objective = job.task.objective(job.protocol)
        accumulator = EagerAccumulator(self.forward, objective)
        rows = job.task.encode(load_tokenizer(self.model), examples, self.material.limit, job.protocol)
        terms = objective.terms(rows.targets)
        for start in range(0, STEP_ROWS, micro_rows):
            micro = slice(start, start + micro_rows)
            targets = torch.tensor([target for row in rows.targets[micro] for target in row])
            accumulator.accumulate([torch.tensor(ids) for ids in rows.ids[micro]], targets, terms)

    def step(self, count: int, *, rate: float, weight_decay: float = 0.0) -> None:
        """Take steps with the method's own optimizer and parameter groups."""
        from showdown.engine.optim.settings import OptimizerSettings
        from showdown.engine.optim.table import build_optimizer

        settings = OptimizerSettings(
            weight_decay=weight_decay,
            name=self.method.optimizer,
            groups=self.method.parameter_groups(self.module),
        )
        optimizer = build_optimizer(self.learning(), settings)
        self.module.train()
        for _ in range(count):
            optimizer.begin(rate)
            self.accumulate(STEP_ROWS)
            optimizer.end(1.0)

    def disturb(self) -> None:
        """Add noise to everything that learns: adapters that begin at zero then have a part in the outputs."""
        import torch

        torch.manual_seed(1)
        with torch.no_grad():
            for value in self.learning().values():
                value.add_(torch.randn_like(value) * _NOISE)

    def outputs(self, *, training: bool) -> "torch.Tensor":
        """Return the logits of what is asked, with dropout as training has it or without.

        Their shape is (texts, labels), or (tokens, vocabulary) for a task that writes text.
        """
        import torch

        torch.manual_seed(2)
        self.module.train(training)
        with torch.no_grad():
            return self.forward.logits(self.material.encoded(self.model))


def loaded(method: TunedMethod, model: Path, material: Material, *, seed: int = 0) -> "Network":
    """Return a network as a run loads it for a method, without dropout."""
    from dataclasses import replace

    from showdown.models.network import load_network

    return load_network(model, replace(material.job(model, dropout=0.0), seed=seed), method.options)


def adapted(method: TunedMethod, model: Path, material: Material, *, seed: int = 0) -> Adapted:
    """Return a network that a method has adapted, as a run does it."""
    import torch

    network = loaded(method, model, material, seed=seed)
    torch.manual_seed(seed)
    module = method.adapt(network)
    return Adapted(
        method=method, material=material, model=model, network=network, module=module, forward=path_of(module, model)
    )


def path_of(module: "torch.nn.Module", model: Path) -> ForwardPath:
    """Return the engine's forward path for a network."""
    from showdown.engine.forward import choose_forward
    from showdown.models.tokens import load_tokenizer

    return choose_forward(module, pad_token_id=int(load_tokenizer(model).pad_token_id), device="cpu")


def facts(module: "torch.nn.Module") -> Mapping[str, Mapping[str, Any]]:
    """Return what can be seen of each submodule by name: its class, its attributes, and how many hooks it has.

    Of an attribute the value where it is plain, such as a number, and its class otherwise.
    """
    plain = (bool, int, float, str, tuple, type(None))
    found: dict[str, dict[str, Any]] = {}
    for name, child in module.named_modules():
        found[name] = {"the class": type(child).__qualname__}
        for key, value in vars(child).items():
            if key.endswith("_hooks"):
                found[name][f"hooks `{key}`"] = len(value)
            elif key != "training":
                found[name][f"the attribute `{key}`"] = value if isinstance(value, plain) else type(value).__qualname__
    return found
