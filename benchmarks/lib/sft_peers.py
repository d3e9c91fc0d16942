"""The peers of `benchmarks.gpu.language_model`: TRL's SFTTrainer and Unsloth, each at its fastest.

Unsloth must be imported before transformers, so this module imports neither before a party runs.
"""

import ctypes
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.lib.language_model import (
    ALPHA,
    EFFECTIVE_ROWS,
    LEARNING_RATE,
    MAX_GRADIENT_NORM,
    RANK,
    SHAPES,
    TARGETS,
    WEIGHT_DECAY,
    Work,
    language_model,
    tokenizer,
)
from benchmarks.lib.meter import Laps
from benchmarks.lib.varlen_attention import NAME, add_starts, register


def run_trl(method: str, work: Work, *, shape: str, device: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train with TRL's SFTTrainer: padding-free, Liger's kernels, bfloat16 adapters.

    TRL defaults to padded rows, activation checkpointing and, with LoRA, adapters in float32; its head and loss have
    been one fused computation over the answers' tokens since 1.15, in place of Liger's.

    Args:
        method: `full`, `lora` or `qlora`.
        work: the rows of each step.
        shape: a key of `SHAPES`.
        device: `cuda`, or `cpu` to try it out.
        settings: `micro_rows`, and where wanted `checkpointing`, `masters` (float32 adapters, or with full fine-tuning
            float32 weights, computed in bfloat16) and `curve` (the loss of each step).

    """
    import torch
    from trl import SFTTrainer

    if device == "cuda":
        torch.cuda.memory._set_allocator_settings("expandable_segments:True")
    register()
    model = language_model(shape, four_bit=method == "qlora", device=device, attention=NAME)
    masters = bool(settings.get("masters"))
    if method == "full" and masters:
        model = model.float()
    if method != "full":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=TARGETS, bias="none"
        )
        torch.manual_seed(1)
        model = get_peft_model(model, config, autocast_adapter_dtype=masters)
    trainer, laps = _trainer(
        SFTTrainer, model, tokenizer(SHAPES[shape]["vocab_size"]), method, work, device=device,
        micro_rows=settings["micro_rows"], checkpointing=bool(settings.get("checkpointing")),
        use_liger_kernel=device == "cuda", max_length=None, curve=bool(settings.get("curve")),
    )  # fmt: skip
    collate: Callable[[Any], dict[str, Any]] = trainer.data_collator
    trainer.data_collator = lambda rows: add_starts(collate(rows))
    return _result(trainer, laps) | {"attention": NAME}


def prepare_unsloth() -> None:
    """Have Unsloth compile into a folder of its own, and load CUDA 12's runtime where it is in the path.

    xformers' wheel wants that runtime, whichever CUDA torch was built for.
    """
    os.environ["UNSLOTH_COMPILE_LOCATION"] = tempfile.mkdtemp()
    for folder in sys.path:
        library = Path(folder) / "nvidia" / "cuda_runtime" / "lib" / "libcudart.so.12"
        if library.exists():
            ctypes.CDLL(str(library))
            return


def run_unsloth(method: str, work: Work, *, folder: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train with Unsloth: padding-free, its kernels, its choice of attention.

    Unsloth defaults to padding-free batches, dropout 0 and its checkpointing, which moves activations to the host.

    Args:
        method: `full`, `lora` or `qlora`.
        work: the rows of each step.
        folder: of the network and its tokenizer.
        settings: `micro_rows`, and where wanted `checkpointing` (True: its own).

    """
    prepare_unsloth()
    import torch
    import unsloth
    from trl import SFTTrainer
    from unsloth.utils.attention_dispatch import select_attention_backend

    checkpointing = "unsloth" if settings.get("checkpointing") else False
    longest = max(work.rows.lengths)
    model, words = unsloth.FastLanguageModel.from_pretrained(
        folder, max_seq_length=longest, dtype=torch.bfloat16, load_in_4bit=method == "qlora",
        full_finetuning=method == "full", use_gradient_checkpointing=checkpointing,
    )  # fmt: skip
    if method != "full":
        model = unsloth.FastLanguageModel.get_peft_model(
            model, r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=TARGETS, bias="none",
            use_gradient_checkpointing=checkpointing, random_state=1,
        )  # fmt: skip
    trainer, laps = _trainer(
        SFTTrainer, model, words, method, work, device="cuda", micro_rows=settings["micro_rows"],
        checkpointing=bool(checkpointing), max_length=longest,
    )  # fmt: skip
    return _result(trainer, laps) | {"attention": select_attention_backend(use_varlen=True)}


def _trainer(
    kind: Any, model: Any, words: Any, method: str, work: Work, *, device: str, micro_rows: int, checkpointing: bool,
    curve: bool = False, **more: Any,
) -> tuple[Any, Laps]:  # fmt: skip
    """Return an SFTTrainer over the rows in their order, and what takes its time."""
    from datasets import Dataset
    from torch.utils.data import SequentialSampler
    from transformers import TrainerCallback
    from trl import SFTConfig

    laps = Laps(device=device, warmup_steps=len(work.warmup), lap_steps=len(work.steps), laps=work.laps)

    class InOrder(kind):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
            return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            laps.step_done(state.global_step)

    order = [row for step in work.all_steps for row in step]
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=micro_rows,
        gradient_accumulation_steps=EFFECTIVE_ROWS // micro_rows, max_steps=len(work.all_steps),
        learning_rate=LEARNING_RATE[method], weight_decay=WEIGHT_DECAY, max_grad_norm=MAX_GRADIENT_NORM,
        optim="adamw_torch_fused" if device == "cuda" else "adamw_torch", lr_scheduler_type="linear", warmup_steps=0,
        bf16=True, use_cpu=device == "cpu", gradient_checkpointing=checkpointing,
        padding_free=True, packing=False, dataset_num_proc=1,
        dataloader_num_workers=2, dataloader_multiprocessing_context="fork",
        dataloader_pin_memory=device == "cuda", save_strategy="no", report_to=[],
        logging_strategy="steps" if curve else "no", logging_steps=1,
        disable_tqdm=True, seed=0, **more,
    )  # fmt: skip
    data = Dataset.from_dict(
        {
            "input_ids": [work.rows.ids[row].tolist() for row in order],
            "labels": [work.rows.labels(row).tolist() for row in order],
        }
    )
    trainer = InOrder(model=model, args=arguments, train_dataset=data, processing_class=words, callbacks=[Watch()])
    return trainer, laps


def _result(trainer: Any, laps: Laps) -> dict[str, Any]:
    laps.begin()
    began = time.perf_counter()
    loss = trainer.train().training_loss
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return {
        "lap_seconds": laps.lap_seconds,
        "training_seconds": time.perf_counter() - began,
        "mean_loss": loss,
        **({"losses": losses} if losses else {}),
        **laps.memory(),
    }
