"""Showdown in `benchmarks.gpu.language_model`: the product's memory plan, engine and training loop."""

from dataclasses import replace
from typing import Any

import torch

from benchmarks.lib.language_model import (
    ALPHA,
    EFFECTIVE_ROWS,
    IGNORED,
    LEARNING_RATE,
    MAX_GRADIENT_NORM,
    RANK,
    TARGETS,
    WEIGHT_DECAY,
    Work,
    language_model,
)
from benchmarks.lib.meter import Laps, Losses
from benchmarks.lib.workload import PAD
from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, Validation
from showdown.engine.budget import Demand, expected, limit_gb, plan, shape_of
from showdown.engine.decoder.cudnn_attention import building_for
from showdown.engine.forward import choose_forward
from showdown.engine.language.chunks import OutputLayer
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.optim.table import state_bytes
from showdown.measure.memory import memory_of
from showdown.measure.phases import PhaseClock
from showdown.stages.demand import rounding_of
from showdown.stages.row_sizes import read_share, sizes_of
from showdown.tasks.generation.task import Generation
from showdown.training.batches import effective_batches, largest_drawn_tokens
from showdown.training.loop import _Loop
from showdown.training.run import TrainingRun

_GB = 1e9


class _Timed(_Loop):
    """The product's loop, which tells a meter of each step before the next one is launched, as TRL's callbacks do."""

    def __init__(self, run: TrainingRun, laps: Laps) -> None:
        super().__init__(run)
        self.laps = laps

    def _step(self, rows: list[int]) -> None:
        super()._step(rows)
        self.laps.step_done(self.progress.step)


def run_showdown(method: str, work: Work, *, shape: str, device: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train with Showdown, whose defaults for adapters are all linear layers and dropout 0.

    Args:
        method: `full`, `lora` or `qlora`.
        work: the rows of each step.
        shape: a key of `SHAPES`.
        device: `cuda`, or `cpu` to try it out.
        settings: `memory` of the protocol: `speed`, `lean` or GB; where wanted `micro_batch_rows` and
            `weight_rounding`, which are keys of the protocol too.

    """
    protocol = SharedProtocol(
        effective_batch_rows=EFFECTIVE_ROWS, epochs=1, patience_epochs=None, tuning=None, warmup_steps=0,
        weight_decay=WEIGHT_DECAY, max_gradient_norm=MAX_GRADIENT_NORM, select_epoch="last", **settings,
    )  # fmt: skip
    module = _network(method, shape, device).train()
    examples = _examples(work)
    rounding = rounding_of(protocol, method == "full", device)
    chosen, needed = _memory(method, module, examples, protocol, device)
    print(f"{method}, memory {protocol.memory}: {chosen}", flush=True)
    building = None
    if device == "cuda" and not chosen.recompute:
        building = building_for(
            module.config, lengths=examples.lengths, micro_rows=chosen.micro_rows, micro_tokens=chosen.micro_tokens
        )
    laps = Laps(device=device, warmup_steps=len(work.warmup), lap_steps=len(work.steps), laps=work.laps)
    watch = Losses()
    run = TrainingRun(
        task=Generation(), module=module,
        forward=choose_forward(
            module, pad_token_id=PAD, device=device, recompute=chosen.recompute,
            attention=building.result() if building else None,
        ),
        train=examples, validation_targets=examples.targets[:1], validate=_no_validation, protocol=protocol,
        micro_batch_rows=chosen.micro_rows, micro_batch_tokens=chosen.micro_tokens,
        expected_peak_gb=needed.peak_gb if device == "cuda" else None, gradients_stay=needed.gradients_stay,
        step=OptimizerSettings(weight_decay=WEIGHT_DECAY, rounding=rounding, in_backward=chosen.in_backward),
        learning_rate=LEARNING_RATE[method], seed=0, device=device, clock=PhaseClock(memory_of(device)),
        checkpoints=None, watcher=watch,
    )  # fmt: skip
    laps.begin()
    progress = _Timed(run, laps).go()
    return {
        "lap_seconds": laps.lap_seconds,
        "training_seconds": run.clock.seconds("training"),
        "mean_loss": sum(watch.losses) / len(watch.losses),
        "losses": watch.losses,
        **laps.memory(),
        "attention": run.forward.name,
        "from_graphs": progress.from_graphs,
        "micro_rows": progress.micro_batch_rows,
        "micro_tokens": progress.micro_batch_tokens,
        "recompute": chosen.recompute,
        "expected_peak_gb": needed.peak_gb,
    }


def lora_network(shape: str, device: str, *, four_bit: bool = False) -> Any:
    """Return the network with adapters on all linear layers."""
    from peft import LoraConfig, get_peft_model

    model = language_model(shape, four_bit=four_bit, device=device)
    torch.manual_seed(1)
    return get_peft_model(
        model,
        LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=TARGETS),
    )


def _network(method: str, shape: str, device: str) -> Any:
    if method == "full":
        return language_model(shape, four_bit=False, device=device).requires_grad_(True)
    return lora_network(shape, device, four_bit=method == "qlora")


def _examples(work: Work) -> EncodedExamples:
    """Return the rows such that the loop, which shuffles them, comes to them in the order of the work."""
    order = [row for step in work.all_steps for row in step]
    shuffled = [place for step in effective_batches(len(order), EFFECTIVE_ROWS, seed=0, epoch=0) for place in step]
    rows = [row for _, row in sorted(zip(shuffled, order, strict=True))]
    return EncodedExamples(
        ids=[work.rows.ids[row].tolist() for row in rows],
        targets=[[*work.rows.labels(row)[1:].tolist(), IGNORED] for row in rows],
    )


def _memory(method: str, module: Any, examples: EncodedExamples, protocol: SharedProtocol, device: str) -> Any:
    """Return the micro-batch that the product chooses, and what it expects to need, as its stage `plan` does."""
    learning = [value for value in module.parameters() if value.requires_grad]
    demand = Demand(
        weight_bytes=sum(value.numel() * value.itemsize for value in module.parameters()),
        gradient_bytes=sum(value.numel() * value.itemsize for value in learning),
        optimizer_bytes=state_bytes(learning, rounding_of(protocol, method == "full", device)),
        trains_backbone=method == "full",
        adapts_feed_forward=True,
        four_bit=method == "qlora",
        output=OutputLayer(
            vocabulary=int(module.config.vocab_size),
            read_share=read_share(sizes_of(examples), EFFECTIVE_ROWS),
            learns=method == "full",
        ),
    )
    free_gb = torch.cuda.mem_get_info()[1] / _GB if device == "cuda" else 80.0
    chosen = plan(
        shape_of(module.config), demand, memory=protocol.memory, lengths=examples.lengths,
        effective_rows=EFFECTIVE_ROWS, free_gb=free_gb,
    )  # fmt: skip
    if protocol.micro_batch_rows:
        chosen = replace(chosen, micro_rows=protocol.micro_batch_rows, micro_tokens=None, in_backward=False)
    limit = limit_gb(protocol.memory, free_gb)
    drawn = largest_drawn_tokens(examples.lengths, EFFECTIVE_ROWS, chosen.micro_rows, epochs=protocol.epochs)
    needed = expected(
        shape_of(module.config), demand, chosen, lengths=examples.lengths, drawn_tokens=drawn, limit_gb=limit
    )
    return chosen, needed


def _no_validation() -> Validation:
    """Stand in for the end of the epoch, which is not measured."""
    return Validation(score=0.0, loss=0.0, values={Generation.score_key: 0.0, Generation.curve_metric: 0.0})
