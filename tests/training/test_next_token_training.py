"""A tiny language model learns to write: the loop, the engine and the task of generation together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_loop import Watcher

from showdown.core.examples import Examples
from showdown.core.method import Job, Placement, TunedMethod
from showdown.core.predictor import Writer
from showdown.core.spec import ModelSpec, SharedProtocol
from showdown.engine.forward import choose_forward
from showdown.engine.optim.settings import OptimizerSettings
from showdown.measure.memory import CpuMemory
from showdown.measure.phases import PhaseClock
from showdown.methods.table import build
from showdown.models.network import load_network
from showdown.models.tokens import load_tokenizer
from showdown.tasks.generation.task import Generation
from showdown.training.loop import train
from showdown.training.run import TrainingRun

ANSWERS = {"oven dough": "baker", "ward patient": "night nurse", "cockpit runway": "pilot"}


def examples() -> Examples:
    prompts = [f'[{{"role": "user", "content": "{words}"}}]' for words in ANSWERS] * 4
    numbers = tuple(range(len(prompts)))
    return Examples(
        texts=tuple(prompts),
        targets=(),
        row_ids=numbers,
        duplicate_groups=numbers,
        answers=tuple(ANSWERS.values()) * 4,
    )


def letters(text: str) -> str:
    """A text without the marks that the tiny tokenizer leaves between its pieces."""
    return text.replace(" ", "").replace("Ġ", "")


@pytest.mark.parametrize(("method", "rate"), [("full", 3e-3), ("lora", 3e-2)])
def test_a_language_model_learns_its_answers(pretrained: Callable[[str], Path], method: str, rate: float) -> None:
    folder = pretrained("llama")
    protocol = SharedProtocol(
        epochs=12, patience_epochs=None, effective_batch_rows=4, max_new_tokens=12, warmup_fraction=0.1
    )
    job = Job(
        task=Generation(),
        labels=(),
        model=ModelSpec(id=str(folder)),
        protocol=protocol,
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )
    tokenizer = load_tokenizer(folder, "plain")
    rows = job.task.encode(tokenizer, examples(), 64, protocol)
    built: Any = build(method, {})
    assert isinstance(built, TunedMethod)
    torch.manual_seed(0)
    module = built.adapt(load_network(folder, job, built.options))
    forward = choose_forward(module, pad_token_id=int(tokenizer.pad_token_id), device="cpu")
    objective = job.task.objective(protocol)
    progress = train(
        TrainingRun(
            task=job.task,
            module=module,
            forward=forward,
            train=rows,
            validation_targets=rows.targets,
            validate=lambda: job.task.validate(module, forward, objective, rows),
            protocol=protocol,
            micro_batch_rows=2,
            step=OptimizerSettings(weight_decay=0.0),
            learning_rate=rate,
            seed=0,
            device="cpu",
            clock=PhaseClock(CpuMemory()),
            checkpoints=None,
            watcher=Watcher(),
        )
    )
    first, last = progress.validation[0], progress.validation[-1]
    assert last["loss"] < first["loss"] / 4
    assert last["token_accuracy"] == 1.0
    writer = job.task.predictor(module, forward, tokenizer, 64, protocol)
    assert isinstance(writer, Writer)
    written = writer.write(examples().texts[:3], batch_rows=2)
    assert [letters(one.text) for one in written] == [letters(answer) for answer in ANSWERS.values()]
    assert all(one.finished for one in written)
