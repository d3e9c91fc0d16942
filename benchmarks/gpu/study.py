"""The study's comparison and the corrected one at Mistral-7B's shape, by `showdown run`, on one GPU.

    python -m benchmarks.gpu.study --data ../shared/data/resumes.csv --out benchmarks/results

The weights are random, so that only time and memory mean something; accuracies are chance. The checkpoint has the form
that the hub gives it (bfloat16 shards of safetensors, a byte-level BPE tokenizer trained here on the texts), and is
loaded by the code that loads a real one. One epoch, one seed, one split, no search for a learning rate; of each
comparison only the arms that are named below.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from benchmarks.lib.result import ROOT, argument_parser, write_result
from benchmarks.lib.workload import FULL_SHAPE, TINY_SHAPE

TINY = TINY_SHAPE | {"vocab_size": 4000}
"""The tiny network with room for the tokens of a trained tokenizer."""
LAYERS_A_SHARD = 8
COMPARISONS = {"study": ("full", "lora", "qlora"), "study-corrected": ("full", "lora", "qlora")}
CUT = ["protocol.epochs=1", "protocol.patience_epochs=null", "protocol.tuning=null", "seeds=[0]", "keep_models=none",
       "protocol.split={kind: single, seed: 42}"]  # fmt: skip


def texts_of(source: Path) -> list[str]:
    """Return the texts of the study's file."""
    with source.open(encoding="utf-8", newline="") as file:
        return [row["Resume"] for row in csv.DictReader(file)]


def write_comparison(name: str, target: Path) -> None:
    """Write a comparison with the arms that are measured here."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    comparison = yaml.load((ROOT / "comparisons" / f"{name}.yaml").read_text())
    comparison["methods"] = {arm: comparison["methods"][arm] for arm in COMPARISONS[name]}
    with target.open("w") as file:
        yaml.dump(comparison, file)


def write_tokenizer(folder: Path, texts: list[str], vocabulary: int) -> None:
    """Train a byte-level BPE tokenizer that, like Mistral's, begins a text with `<s>` and has no padding token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=min(3000, vocabulary), special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=32768
    ).save_pretrained(folder)


def write_checkpoint(folder: Path, shape: dict[str, int], device: str) -> None:
    """Write random bfloat16 weights, shard by shard."""
    import torch
    from safetensors.torch import save_file
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        **shape, max_position_embeddings=32768, sliding_window=4096, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2
    )
    config.architectures = ["MistralForCausalLM"]
    config.save_pretrained(folder)
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in MistralForCausalLM(config).state_dict().items()}
    generator = torch.Generator(device).manual_seed(0)
    shards: dict[int, dict[str, torch.Tensor]] = {}
    for name, size in shapes.items():
        drawn = torch.empty(size, dtype=torch.bfloat16, device=device)
        drawn = drawn.normal_(0.0, 0.02, generator=generator) if len(size) > 1 else drawn.fill_(1.0)
        layer = name.split(".")[2] if ".layers." in name else "0"
        shards.setdefault(int(layer) // LAYERS_A_SHARD, {})[name] = drawn.cpu()
    index: dict[str, str] = {}
    for number, tensors in shards.items():
        file = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        save_file(tensors, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(tensors, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def compare(name: str, model: Path, output: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one comparison with the command that a user types; return its runs."""
    settings = [*CUT, f"data.source={options.data.resolve()}", f"model.id={model}"]
    written = options.work / f"{name}.yaml"
    write_comparison(name, written)
    command = [sys.executable, "-m", "showdown", "run", str(written)]
    command += ["--output", str(output), *(part for setting in settings for part in ("--set", setting))]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, timeout=options.seconds, check=False)
        code: int | None = done.returncode
    except subprocess.TimeoutExpired:
        code = None
    seconds = time.perf_counter() - began
    records = json.loads((output / "results.json").read_text())["runs"]
    dropped = {"spec", "per_class", "confusion_matrix", "labels", "prediction_speeds"}
    return {
        "exit_code": code,
        "seconds": seconds,
        "settings": settings[: len(CUT)],
        "runs": [{key: value for key, value in record.items() if key not in dropped} for record in records],
    }


def pack(output: Path, target: Path) -> None:
    """Pack a comparison's folder without its models and checkpoints."""
    for artifact in output.glob("runs/*/artifact"):
        shutil.rmtree(artifact)
    for checkpoints in output.glob("runs/*/checkpoints*"):
        shutil.rmtree(checkpoints)
    with tarfile.open(target, "w:gz") as archive:
        archive.add(output, arcname=output.name)


def main() -> None:
    """Make the checkpoint, run the comparisons, and write what they recorded."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="the study's CSV file")
    parser.add_argument("--folders", type=Path, help="also pack each comparison's folder into this one")
    parser.add_argument(
        "--work", type=Path, default=Path("/tmp/gpu_study"), help="of the checkpoint and the comparisons"
    )
    parser.add_argument("--seconds", type=float, default=240.0, help="stop each comparison after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    parser.add_argument("--only", choices=list(COMPARISONS))
    options = parser.parse_args()
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    options.work.mkdir(parents=True, exist_ok=True)
    model, texts = options.work / "mistral-7b-shape", texts_of(options.data)
    shape = TINY if options.tiny else FULL_SHAPE
    if not (model / "model.safetensors.index.json").exists():
        model.mkdir(exist_ok=True)
        began = time.perf_counter()
        write_tokenizer(model, texts, shape["vocab_size"])
        write_checkpoint(model, shape, device)
        print(f"checkpoint written in {time.perf_counter() - began:.0f} s", flush=True)
    result: dict[str, Any] = {"rows": len(texts), "shape": shape, "comparisons": {}}
    for name in COMPARISONS:
        if options.only in (None, name):
            output = options.work / name
            result["comparisons"][name] = compare(name, model, output, options)
            write_result(options, result, device=device)
            if options.folders:
                options.folders.mkdir(parents=True, exist_ok=True)
                pack(output, options.folders / f"{name}.tar.gz")


if __name__ == "__main__":
    main()
