"""The Trainer of transformers and this loop compute the same losses."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from showdown.core.events import EventWriter
from showdown.core.method import NetworkOptions
from showdown.core.task import EncodedExamples, Validation
from showdown.engine.forward import choose_forward
from showdown.engine.optim.settings import OptimizerSettings
from showdown.measure.memory import CpuMemory
from showdown.measure.phases import PhaseClock
from showdown.models.network import load_network
from showdown.models.tokens import load_tokenizer
from showdown.training.batches import effective_batches
from showdown.training.loop import train as run_loop
from showdown.training.run import TrainingRun
from tiny_pretrained import job, separable_rows

ROWS, BATCH, EPOCHS, RATE = 40, 8, 4, 2e-3


def trainer_losses(module: Any, rows: EncodedExamples, tokenizer: Any, output: Path) -> list[float]:
    """Losses of the Trainer, given the rows in the order of this loop."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    order = [
        row for epoch in range(EPOCHS) for batch in effective_batches(ROWS, BATCH, seed=0, epoch=epoch) for row in batch
    ]
    losses: list[float] = []

    class InOrder(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

        def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
            loss: torch.Tensor = super().training_step(*given, **named)
            losses.append(float(loss))
            return loss

    InOrder(
        model=module,
        args=TrainingArguments(
            output_dir=str(output),
            num_train_epochs=1,  # the epochs are in the order
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            weight_decay=0.01,
            warmup_steps=2,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            optim="adamw_torch",
        ),
        train_dataset=[{"input_ids": rows.ids[row], "labels": rows.targets[row]} for row in order],
        data_collator=DataCollatorWithPadding(tokenizer),
    ).train()
    return losses


@pytest.mark.parametrize("family", ["bert", "mistral"])
def test_losses_are_the_trainers(pretrained: Callable[[str], Path], tmp_path: Path, family: str) -> None:
    """20 steps in float32 without dropout and accumulation, with warm-up, decay, weight decay and clipping."""
    folder = pretrained(family)
    texts = separable_rows(ROWS)
    tokenizer = load_tokenizer(folder)
    asked = job(folder, dropout=0.0, epochs=EPOCHS, effective_batch_rows=BATCH)
    rows = asked.task.encode(tokenizer, texts, 64, asked.protocol)
    ours = load_network(folder, asked, NetworkOptions()).module
    theirs = load_network(folder, asked, NetworkOptions()).module
    theirs.config.pad_token_id = tokenizer.pad_token_id
    progress = run_loop(
        TrainingRun(
            task=asked.task,
            module=ours,
            forward=choose_forward(ours, pad_token_id=tokenizer.pad_token_id, device="cpu"),
            train=rows,
            validation_targets=rows.targets,
            validate=lambda: Validation(score=0.0, loss=0.0, values={"accuracy": 0.0, "true_label_probability": 0.0}),
            protocol=asked.protocol.model_copy(update={"select_epoch": "last"}),
            micro_batch_rows=BATCH,
            step=OptimizerSettings(weight_decay=asked.protocol.weight_decay),
            learning_rate=RATE,
            seed=0,
            device="cpu",
            clock=PhaseClock(CpuMemory()),
            checkpoints=None,
            watcher=EventWriter(io.StringIO()),
        )
    )
    expected = trainer_losses(theirs, rows, tokenizer, tmp_path)
    assert len(progress.curve["loss"]) == len(expected) == 20
    assert progress.curve["loss"] == pytest.approx(expected, abs=1e-5)
    assert expected[-1] < 0.5 * expected[0]
