"""Unsloth on the classifier of `benchmarks.gpu.engine_vs_recipe`, at its fastest: its kernels and loader, the Trainer.

Unsloth must be imported before transformers, so this module imports neither before it runs.
"""

from pathlib import Path
from typing import Any

from benchmarks.lib.sft_peers import prepare_unsloth
from benchmarks.lib.workload import ALPHA, EFFECTIVE_ROWS, LABELS, RANK, Rows, base_model, vocabulary_of


def write_classifier(folder: str, *, tiny: bool, device: str) -> dict[str, Any]:
    """Write the network with a tokenizer as the hub has them: Unsloth loads nothing else."""
    import torch

    from benchmarks.lib.language_model import tokenizer

    model = base_model(tiny=tiny, dtype=torch.bfloat16, device=device)
    model.config.dtype = torch.bfloat16
    model.save_pretrained(folder, max_shard_size="5GB")
    tokenizer(vocabulary_of(tiny=tiny)).save_pretrained(folder)
    return {"bytes": sum(path.stat().st_size for path in Path(folder).iterdir())}


def run(
    method: str, rows: Rows, steps: list[list[int]], warmup: list[list[int]], *, folder: str, checkpointing: bool
) -> dict[str, Any]:
    """Train the given steps and return losses, seconds and memory.

    All rows of a step are one padded micro-batch, without dropout, which Unsloth's kernels leave out.

    Args:
        method: `lora` or `qlora`.
        rows: all training rows.
        steps: rows of each measured step.
        warmup: rows of each step before the measurement.
        folder: of `write_classifier`.
        checkpointing: use Unsloth's, which moves activations to the host.

    """
    prepare_unsloth()
    import torch
    import unsloth

    way = "unsloth" if checkpointing else False
    model, _ = unsloth.FastLanguageModel.from_pretrained(
        folder, max_seq_length=max(rows.lengths), dtype=torch.bfloat16, load_in_4bit=method == "qlora",
        num_labels=LABELS,
    )  # fmt: skip
    model = unsloth.FastLanguageModel.get_peft_model(
        model, r=RANK, lora_alpha=ALPHA, lora_dropout=0, target_modules=["q_proj", "v_proj"], bias="none",
        use_gradient_checkpointing=way, random_state=1,
    )  # fmt: skip
    from benchmarks.lib import recipe

    settings = {
        "per_device_train_batch_size": EFFECTIVE_ROWS[method], "optim": "adamw_torch_fused", "logging_strategy": "no",
    }  # fmt: skip
    return recipe.train(model, method, rows, steps, warmup, device="cuda", arguments=settings)
