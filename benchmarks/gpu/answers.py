"""How long a 7B takes to answer one text, with each kernel launched and from CUDA graphs.

    python -m benchmarks.gpu.answers --out benchmarks/results

The whole network, and adapters on all its linear layers, in 16 and in 4 bits. A text has 365 tokens, the study's mean.
Median and longest of 20 answers after three, in milliseconds.
"""

import argparse
import time
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory
from benchmarks.lib.workload import PAD, TINY_SHAPE, base_model
from showdown.engine.forward import ForwardPath, choose_forward
from showdown.engine.graphs.capture import answering_forward

TOKENS, WARM_UP, CALLS = 365, 3, 20


def milliseconds(path: ForwardPath) -> dict[str, float]:
    """Return the median and the longest time of the calls."""
    text = [torch.randint(100, TINY_SHAPE["vocab_size"], (TOKENS,))]
    taken = []
    with torch.no_grad():
        for _ in range(WARM_UP + CALLS):
            began = time.perf_counter()
            path.logits(text).cpu()
            taken.append(1e3 * (time.perf_counter() - began))
    measured = sorted(taken[WARM_UP:])
    return {"median_ms": measured[len(measured) // 2], "longest_ms": measured[-1]}


def measure(name: str, module: Any, device: str) -> dict[str, Any]:
    """Measure a network both ways, and print a line."""
    path = choose_forward(module.eval(), pad_token_id=PAD, device=device)
    launched, graphs = milliseconds(path), milliseconds(answering_forward(path))
    print(
        f"{name:24} launched {launched['median_ms']:6.1f} (longest {launched['longest_ms']:6.1f}), "
        f"from graphs {graphs['median_ms']:6.1f} ({graphs['longest_ms']:6.1f})",
        flush=True,
    )
    return {"network": name, "launched": launched, "graphs": graphs}


def networks(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure every network."""
    found = []
    kind = torch.bfloat16 if options.device == "cuda" else torch.float32
    for four_bit in (False, True) if options.device == "cuda" else (False,):
        base = base_model(tiny=options.tiny, dtype=kind, device=options.device, four_bit=four_bit)
        bits = "4 bits" if four_bit else "16 bits"
        found.append(measure(f"{bits}, whole", base, options.device))
        config = LoraConfig(task_type="SEQ_CLS", r=16, lora_dropout=0.1, target_modules="all-linear")
        found.append(measure(f"{bits}, adapters", get_peft_model(base, config), options.device))
        del base
        free_memory(options.device)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    write_result(options, {"tokens": TOKENS, "networks": networks(options)}, device=options.device)


if __name__ == "__main__":
    main()
