"""One process of a network that several GPUs train together, for `benchmarks.gpu.several`: ours, or the recipe's."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.lib import recipe, workload
from benchmarks.lib.engine import network
from benchmarks.lib.meter import Losses, Meter
from benchmarks.lib.workload import LEARNING_RATE, PAD, TINY_SHAPE, WEIGHT_DECAY, training_rows, vocabulary_of
from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, Validation
from showdown.engine.decoder.cudnn_attention import building_for
from showdown.engine.forward import choose_forward, spread_over
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.parallel.group import current, join, leave
from showdown.engine.parallel.spread import Spread
from showdown.measure.memory import memory_of
from showdown.measure.phases import PhaseClock
from showdown.tasks.classification.task import Classification
from showdown.training.batches import effective_batches
from showdown.training.loop import _Loop
from showdown.training.run import TrainingRun

WARMUP_STEPS = 4
SHAPE_13B = {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40,
             "num_key_value_heads": 40, "vocab_size": 32000}  # fmt: skip
"""Llama-2-13B's."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to train."""

    name: str
    method: str
    processes: int
    effective_rows: int
    micro_rows: int
    steps: int
    divided: bool = False
    recompute: bool = False
    large: bool = False
    """The 13B shape."""
    recipe: bool = False
    reference: str | None = None
    """The case on one GPU with the same effective batch."""


class _Enough(Exception):
    """The last measured step is over."""


class _Timed(_Loop):
    """The product's loop, measured from the end of the warm-up to the last step of the case."""

    def __init__(self, run: TrainingRun, case: Case, meter: Meter) -> None:
        super().__init__(run)
        self.case, self.meter, self.tokens = case, meter, 0

    def _step(self, rows: list[int]) -> None:
        super()._step(rows)
        if self.progress.step > WARMUP_STEPS:
            self.tokens += sum(self.lengths[row] for row in rows)
        if self.progress.step == WARMUP_STEPS:
            self.meter.begin()
        if self.progress.step == WARMUP_STEPS + self.case.steps:
            self.meter.end()
            self._read(0)
            raise _Enough


def train(case: Case, rank: int, meeting: Path, *, tiny: bool) -> dict[str, Any]:
    """Train one case in this process, which is one of its group, and return what was measured."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if case.processes > 1:
        join(rank, case.processes, meeting, device=device)
    shape = TINY_SHAPE if tiny else (SHAPE_13B if case.large else None)
    module = network(case.method, tiny=tiny, device=device, dropout=0.0, shape=shape).train()
    spread = spread_over(current(), module, device=device, divided=case.divided, whole=case.method == "full")
    meter, watch = Meter(device=device), Losses()
    run = _run(case, module, spread, watch, device=device, tiny=tiny)
    loop = _Timed(run, case, meter)
    with contextlib.suppress(_Enough):
        loop.go()
    leave()
    return {
        "tokens_per_second": loop.tokens / meter.seconds,
        "seconds": meter.seconds,
        "losses": watch.losses,
        "path": run.forward.name,
        **meter.memory(),
    }


def _run(case: Case, module: Any, spread: Spread, watch: Losses, *, device: str, tiny: bool) -> TrainingRun:
    rows = training_rows(vocabulary_of(tiny=tiny))
    building = None
    if device == "cuda" and not case.recompute:
        building = building_for(module.config, lengths=rows.lengths, micro_rows=case.micro_rows, micro_tokens=None)
    return TrainingRun(
        task=Classification(), module=module,
        forward=choose_forward(
            module, pad_token_id=PAD, device=device, recompute=case.recompute,
            attention=building.result() if building else None, spread=spread,
        ),
        train=EncodedExamples(ids=[row.tolist() for row in rows.ids], targets=[(one,) for one in rows.targets]),
        validation_targets=[(0,), (1,)],
        validate=lambda: Validation(score=0.0, loss=0.0, values={"f1_macro": 0.0, Classification.score_key: 0.0}),
        protocol=SharedProtocol(
            effective_batch_rows=case.effective_rows, epochs=8, patience_epochs=None, tuning=None, warmup_steps=0,
            weight_decay=WEIGHT_DECAY, select_epoch="last",
        ),
        micro_batch_rows=case.micro_rows,
        step=OptimizerSettings(
            weight_decay=WEIGHT_DECAY, rounding="stochastic" if case.method == "full" else "float32",
            places=spread.places,
        ),
        learning_rate=LEARNING_RATE[case.method], seed=0, device=device, clock=PhaseClock(memory_of(device)),
        checkpoints=None, watcher=watch, spread=spread,
    )  # fmt: skip


def train_recipe(case: Case, rank: int, *, tiny: bool) -> dict[str, Any]:
    """Train one case with the recipe in this process."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(rank)
    rows = training_rows(vocabulary_of(tiny=tiny))
    batches = [
        batch
        for epoch in range(8)
        for batch in effective_batches(len(rows.ids), case.effective_rows, seed=0, epoch=epoch)
        if len(batch) == case.effective_rows
    ]
    warmup, steps = batches[:WARMUP_STEPS], batches[WARMUP_STEPS : WARMUP_STEPS + case.steps]
    if case.large and not tiny:
        workload.FULL_SHAPE.update(SHAPE_13B)
    found = recipe.run(
        case.method, rows, steps, warmup, tiny=tiny, device=device, dropout=0.0, grouped=False, curve=False,
        checkpointing=False, batch_rows=case.micro_rows, effective_rows=case.effective_rows, processes=case.processes,
        arguments={
            "fsdp": "full_shard auto_wrap",
            "fsdp_config": {"transformer_layer_cls_to_wrap": ["MistralDecoderLayer"], "activation_checkpointing": True},
        },
    )  # fmt: skip
    tokens = sum(rows.lengths[row] for batch in steps for row in batch)
    return {"tokens_per_second": tokens / found["seconds"], **found}
