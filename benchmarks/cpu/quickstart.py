"""Speed of fine-tuning on a CPU: the product's training loop beside transformers' Trainer, in pairs.

    python -m benchmarks.cpu.quickstart --out benchmarks/results
    python -m benchmarks.cpu.quickstart --method lora --batch-rows 4 --max-tokens 64 --dropout 0 --precision bfloat16

The default model on the default data; the same weights, adapters, rows, order, effective batch, learning rate and
clipping; dropout as the model's configuration has it. Each pair has a seed of its own and runs both loops one after the
other, every second pair in reversed order. `--method lora` or `qlora` trains the same PEFT network on both sides.
Scores
are macro F1 on the test rows. Processor seconds are those of all threads, and tell more on a busy machine.

With `--precision bfloat16` the product has bfloat16 weights, as `protocol.precision` makes them. The Trainer has
float32
weights, and computes in float32 or, with `--trainer-precision bfloat16`, under autocast.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.lib.recipe import padded_batch
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import spread
from showdown.core.method import Job, Placement, TunedMethod
from showdown.core.spec import DataSpec, ModelSpec, SharedProtocol
from showdown.core.split import SingleSplit
from showdown.core.task import EncodedExamples, Validation
from showdown.data.prepare import prepare
from showdown.engine.forward import ForwardPath, PaddedForward, choose_forward
from showdown.engine.optim.settings import OptimizerSettings
from showdown.evaluation.logits import logits_of
from showdown.measure.memory import memory_of
from showdown.measure.phases import PhaseClock
from showdown.methods.table import build
from showdown.models.network import load_network
from showdown.models.source import locate
from showdown.models.tokens import load_tokenizer
from showdown.tasks.classification.metrics import score
from showdown.tasks.classification.task import Classification
from showdown.training.batches import effective_batches
from showdown.training.loop import train
from showdown.training.run import TrainingRun
from showdown.training.schedule import warmup_steps

LEARNING_RATE = 2e-4
SETTINGS = ("pairs", "method", "epochs", "batch_rows", "max_tokens", "dropout", "precision", "trainer_precision")
"""Options that a result repeats, since their defaults may change."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What both loops train on."""

    job: Job
    method: TunedMethod
    folder: Path
    train: EncodedExamples
    test: EncodedExamples
    pad: int
    autocast: bool
    """Whether the Trainer computes in bfloat16."""

    def module(self, dtype: str) -> Any:
        """Return the pretrained network as the method trains it, with a head and adapters drawn from the seed."""
        torch.manual_seed(self.job.seed)
        job = replace(self.job, placement=Placement(device="cpu", dtype=dtype))
        return self.method.adapt(load_network(self.folder, job, self.method.options))


def training_of(seed: int, options: argparse.Namespace) -> Training:
    """Read the default data and the default model."""
    prepared = prepare(DataSpec(), SingleSplit())
    protocol = SharedProtocol(
        epochs=options.epochs, patience_epochs=None, effective_batch_rows=options.batch_rows, select_epoch="last",
        max_tokens=options.max_tokens, dropout=options.dropout,
    )  # fmt: skip
    folder = locate(ModelSpec())
    tokenizer = load_tokenizer(folder)

    classification, placement = Classification(), Placement(device="cpu", dtype=options.precision)
    method = build(options.method, {})
    assert isinstance(method, TunedMethod)
    return Training(
        job=Job(
            task=classification,
            labels=prepared.labels,
            model=ModelSpec(),
            protocol=protocol,
            placement=placement,
            seed=seed,
        ),
        method=method,
        folder=folder,
        train=classification.encode(tokenizer, prepared.side("train"), options.max_tokens, protocol),
        test=classification.encode(tokenizer, prepared.side("test"), options.max_tokens, protocol),
        pad=int(tokenizer.pad_token_id),
        autocast=options.trainer_precision == "bfloat16",
    )


class _Silent:
    def step(self, **_: Any) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Show nothing."""


def ours(task: Training) -> dict[str, Any]:
    """Train with the product's loop; return seconds, forward path and score."""
    module = task.module(task.job.placement.dtype)
    path: ForwardPath = choose_forward(module, pad_token_id=task.pad, device="cpu")
    clock = PhaseClock(memory_of("cpu"))
    run = TrainingRun(
        task=task.job.task, module=module, forward=path, train=task.train, validation_targets=[(0,)],
        validate=lambda: Validation(score=0.0, loss=0.0, values={"accuracy": 0.0, "true_label_probability": 0.0}),
        protocol=task.job.protocol, micro_batch_rows=task.job.protocol.effective_batch_rows,
        step=OptimizerSettings(weight_decay=task.job.protocol.weight_decay),
        learning_rate=LEARNING_RATE, seed=task.job.seed, device="cpu", clock=clock,
        checkpoints=None, watcher=_Silent(),
    )  # fmt: skip
    began = time.process_time()
    train(run)
    return {
        "seconds": clock.seconds("training"), "processor_seconds": time.process_time() - began, "path": path.name,
        "f1_macro": _f1(module, task),
    }  # fmt: skip


class _Watch(TrainerCallback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.began = self.seconds = self.processor_began = self.processor_seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began, self.processor_began = time.perf_counter(), time.process_time()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.seconds = time.perf_counter() - self.began
        self.processor_seconds = time.process_time() - self.processor_began


class _Orders(Sampler[int]):
    """Gives the rows of each epoch in the order that the product draws, with its short last batch."""

    def __init__(self, rows: int, batch_rows: int, seed: int) -> None:
        self._rows, self._batch_rows, self._seed, self._epoch = rows, batch_rows, seed, 0

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        batches = effective_batches(self._rows, self._batch_rows, seed=self._seed, epoch=self._epoch)
        self._epoch += 1
        return iter([row for batch in batches for row in batch])


class _InOrder(Trainer):  # type: ignore[misc]
    def _get_train_sampler(self, train_dataset: Any = None) -> _Orders:
        return _Orders(len(train_dataset or self.train_dataset), self.args.per_device_train_batch_size, self.args.seed)


def theirs(task: Training) -> dict[str, Any]:
    """Train with transformers' Trainer and dynamic padding; return seconds and score."""
    module, protocol, watch = task.module("float32"), task.job.protocol, _Watch()
    batch_rows = int(protocol.effective_batch_rows)

    def collate(rows: list[int]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(task.train.ids[row]) for row in rows]
        return padded_batch(ids, [label for row in rows for label in task.train.targets[row]], task.pad)

    rows = list(range(len(task.train.ids)))
    steps = protocol.epochs * -(-len(rows) // batch_rows)
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=batch_rows, use_cpu=True,
        num_train_epochs=protocol.epochs,
        learning_rate=LEARNING_RATE, weight_decay=protocol.weight_decay, max_grad_norm=1.0, bf16=task.autocast,
        warmup_steps=warmup_steps(steps, protocol.warmup_fraction), save_strategy="no", report_to=[],
        disable_tqdm=True, logging_strategy="no", remove_unused_columns=False, seed=task.job.seed,
    )  # fmt: skip
    trainer = _InOrder(model=module, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[watch])
    trainer.train()
    return {
        "seconds": watch.seconds, "processor_seconds": watch.processor_seconds, "path": "transformers Trainer",
        "f1_macro": _f1(module, task),
    }  # fmt: skip


def _f1(module: Any, task: Training) -> float:
    path = PaddedForward(module, pad_token_id=task.pad, device="cpu")
    predicted = logits_of(module, path, task.test.ids, 16).argmax(dim=-1).tolist()
    return score([label for (label,) in task.test.targets], predicted, task.job.labels).f1_macro


def _ratio(found: dict[str, dict[str, Any]], key: str) -> float:
    """Return the Trainer's over the product's."""
    return float(found["trainer"][key] / found["engine"][key])


@contextmanager
def _quiet() -> Iterator[None]:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    yield


def main() -> None:
    """Run the pairs and write what they took."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--method", default="full")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-rows", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--dropout", type=float, default=None, help="by default as the model's configuration has it")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of the product")
    parser.add_argument("--trainer-precision", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    pairs: list[dict[str, Any]] = []
    with _quiet():
        for seed in range(options.pairs):
            one = training_of(seed, options)
            sides = {"engine": ours, "trainer": theirs}
            found = {name: sides[name](one) for name in sorted(sides, reverse=seed % 2 == 1)}
            pairs.append(
                found | {"ratio": _ratio(found, "seconds"), "processor_ratio": _ratio(found, "processor_seconds")}
            )
            print(json.dumps(pairs[-1]), flush=True)
    scores = {side: statistics.mean(pair[side]["f1_macro"] for pair in pairs) for side in ("engine", "trainer")}
    result = {
        "settings": {key: getattr(options, key) for key in SETTINGS},
        "speed_over_trainer": spread([pair["ratio"] for pair in pairs]),
        "by_processor_seconds": spread([pair["processor_ratio"] for pair in pairs]),
        "mean_f1_macro": scores,
        "pairs": pairs,
    }
    print(json.dumps({key: result[key] for key in ("speed_over_trainer", "by_processor_seconds", "mean_f1_macro")}))
    write_result(options, result)


if __name__ == "__main__":
    main()
