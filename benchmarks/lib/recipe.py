"""The recipe that people use: transformers' Trainer, PEFT and bitsandbytes with the study's settings.

The Trainer's accumulation fault is corrected. `grouped` adds length grouping and Liger's kernels: the strongest recipe.
"""

from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.lib.meter import Meter
from benchmarks.lib.workload import (
    ALPHA,
    EFFECTIVE_ROWS,
    LABELS,
    LEARNING_RATE,
    PAD,
    RANK,
    WEIGHT_DECAY,
    Rows,
    base_model,
)

BATCH = {"full": 4, "lora": 16, "qlora": 16}
WEIGHTS = {"full": torch.bfloat16, "lora": torch.float16, "qlora": torch.bfloat16}


class _InOrder(Trainer):  # type: ignore[misc]
    """Takes the rows in the order given, which is the same for engine and recipe."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset or self.train_dataset)


class _Watch(TrainerCallback):  # type: ignore[misc]
    def __init__(self, meter: Meter, warmup: int) -> None:
        self.meter, self.warmup = meter, warmup

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.warmup:
            self.meter.begin()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.meter.losses.append(float(logs["loss"]))


def padded_batch(ids: list[torch.Tensor], targets: list[int], pad: int) -> dict[str, torch.Tensor]:
    """Return a micro-batch padded to its longest row, as a model of transformers takes it."""
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad)
    lengths = torch.tensor([row.numel() for row in ids])
    mask = (torch.arange(padded.shape[1])[None] < lengths[:, None]).long()
    return {"input_ids": padded, "attention_mask": mask, "labels": torch.tensor(targets)}


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return padded_batch([row["ids"] for row in rows], [row["target"] for row in rows], PAD)


def _model(method: str, *, tiny: bool, device: str, dropout: float, liger: bool, kind: torch.dtype) -> Any:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    model = base_model(tiny=tiny, dtype=kind, device=device, four_bit=method == "qlora")
    if liger:
        from liger_kernel.transformers import apply_liger_kernel_to_mistral

        apply_liger_kernel_to_mistral(fused_linear_cross_entropy=False, model=model)
    if method == "full":
        return model
    if method == "qlora":
        model = prepare_model_for_kbit_training(model)
    config = LoraConfig(
        task_type="SEQ_CLS", r=RANK, lora_alpha=ALPHA, lora_dropout=dropout, target_modules=["q_proj", "v_proj"]
    )
    torch.manual_seed(1)
    adapted = get_peft_model(model, config)
    if method == "lora":  # a float16 head diverges: AdamW's epsilon and squared gradients are zero in float16
        adapted.get_base_model().score.to(torch.float32)
    return adapted


def run(
    method: str, rows: Rows, steps: list[list[int]], warmup: list[list[int]], *, tiny: bool, device: str,
    dropout: float, grouped: bool, curve: bool, checkpointing: bool | None = None, clip: bool = True,
    batch_rows: int | None = None, weights: torch.dtype | None = None, effective_rows: int | None = None,
    processes: int = 1, arguments: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train the given steps and return losses, seconds and memory.

    Args:
        method: `full`, `lora` or `qlora`.
        rows: all training rows.
        steps: rows of each measured step.
        warmup: rows of each step before the measurement.
        tiny: a network for trying the benchmark out.
        device: `cuda` or `cpu`.
        dropout: dropout of the adapters' input.
        grouped: use Liger's kernels; the caller has grouped the rows by length.
        curve: record the loss of every step, which costs a synchronisation each.
        checkpointing: activation checkpointing; by default as in the study.
        clip: clip gradients to a norm of 1, the Trainer's default.
        batch_rows: rows of a micro-batch; by default as in the study.
        weights: type of the weights; by default as in the study, float32 on a CPU.
        effective_rows: rows of a step; by default as in the study.
        processes: that train together, this one among them.
        arguments: more of `TrainingArguments`.

    """
    kind = (weights or WEIGHTS[method]) if device == "cuda" else torch.float32
    batch_rows = batch_rows or BATCH[method]
    model = _model(method, tiny=tiny, device=device, dropout=dropout, liger=grouped and device == "cuda", kind=kind)
    settings = {
        "per_device_train_batch_size": batch_rows,
        "gradient_accumulation_steps": (effective_rows or EFFECTIVE_ROWS[method]) // batch_rows // processes,
        "gradient_checkpointing": method != "lora" if checkpointing is None else checkpointing,
        "logging_strategy": "steps" if curve else "no",
        "max_grad_norm": 1.0 if clip else 0.0,
    }
    return train(model, method, rows, steps, warmup, device=device, arguments=settings | (arguments or {}))


def train(
    model: Any, method: str, rows: Rows, steps: list[list[int]], warmup: list[list[int]], *, device: str,
    arguments: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Train a network with the Trainer and return losses, seconds and memory.

    Args:
        model: with its adapters, on its device.
        method: `full`, `lora` or `qlora`.
        rows: all training rows.
        steps: rows of each measured step.
        warmup: rows of each step before the measurement.
        device: `cuda` or `cpu`.
        arguments: more of `TrainingArguments`.

    """
    order = [{"ids": rows.ids[row], "target": rows.targets[row]} for batch in [*warmup, *steps] for row in batch]
    meter = Meter(device=device)
    settings = TrainingArguments(
        output_dir="/tmp/recipe", max_steps=len(warmup) + len(steps), learning_rate=LEARNING_RATE[method],
        weight_decay=WEIGHT_DECAY, lr_scheduler_type="constant", warmup_steps=0, bf16=device == "cuda",
        use_cpu=device == "cpu", save_strategy="no", report_to=[], disable_tqdm=True, logging_steps=1,
        remove_unused_columns=False, dataloader_num_workers=0, seed=0, **arguments,
    )  # fmt: skip
    trainer = _InOrder(
        model=model, args=settings, train_dataset=order, data_collator=_collate, callbacks=[_Watch(meter, len(warmup))]
    )
    trainer.model_accepts_loss_kwargs = False  # transformers issue 47688: gradients times the accumulation steps
    trainer.train()
    meter.end()
    assert model.config.num_labels == LABELS
    return {"losses": meter.losses, "seconds": meter.seconds, **meter.memory()}
