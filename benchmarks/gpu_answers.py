"""How long one text takes to answer with a 7B: launched kernel by kernel, and from CUDA graphs.

Run `python benchmarks/gpu_answers.py`. The whole network and adapters on all its linear layers, in 16 and in 4 bits; a
text of 365 tokens, the study's mean; median and longest of 20 after three, in milliseconds.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
from gpu_workload import PAD, TINY_SHAPE, base_model
from peft import LoraConfig, get_peft_model

from showdown.engine.forward import ForwardPath, choose_forward
from showdown.engine.graphs.capture import answering_forward

TOKENS, WARM_UP, CALLS = 365, 3, 20


def milliseconds(path: ForwardPath) -> tuple[float, float]:
    """Median and longest of the calls."""
    text = [torch.randint(100, TINY_SHAPE["vocab_size"], (TOKENS,))]
    taken = []
    with torch.no_grad():
        for _ in range(WARM_UP + CALLS):
            began = time.perf_counter()
            path.logits(text).cpu()
            taken.append(1e3 * (time.perf_counter() - began))
    timed = sorted(taken[WARM_UP:])
    return timed[len(timed) // 2], timed[-1]


def show(name: str, module: Any, device: str) -> None:
    """Print a line for a network."""
    path = choose_forward(module.eval(), pad_token_id=PAD, device=device)
    launched, graphs = milliseconds(path), milliseconds(answering_forward(path))
    print(
        f"{name:24} launched {launched[0]:6.1f} (longest {launched[1]:6.1f}), "
        f"from graphs {graphs[0]:6.1f} ({graphs[1]:6.1f})",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny network, to try the benchmark out")
    options = parser.parse_args()
    kind = torch.bfloat16 if options.device == "cuda" else torch.float32
    for four_bit in (False, True) if options.device == "cuda" else (False,):
        base = base_model(tiny=options.tiny, dtype=kind, device=options.device, four_bit=four_bit)
        bits = "4 bits" if four_bit else "16 bits"
        show(f"{bits}, whole", base, options.device)
        config = LoraConfig(task_type="SEQ_CLS", r=16, lora_dropout=0.1, target_modules="all-linear")
        show(f"{bits}, adapters", get_peft_model(base, config), options.device)
        del base
        if options.device == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
