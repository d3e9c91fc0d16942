"""Writing with a 7B on a GPU: Showdown's packed path, launched and from CUDA graphs, beside transformers' `generate`.

    python -m benchmarks.gpu.writing --out benchmarks/results

16 prompts of 200 to 400 random tokens, the first 100 of which are the same, and 64 new tokens behind each, greedily,
in turns. Mistral-7B's shape with random weights: whole, with adapters of rank 16 on all seven matrices of a layer, and
with adapters over weights in NF4.
"""

import argparse
from typing import Any

import torch

from benchmarks.lib.language_model import ALPHA, RANK, SHAPES, TARGETS, language_model
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory
from benchmarks.lib.workload import PAD
from benchmarks.lib.writing import generated, in_turns, prompts, written
from showdown.engine.forward import choose_forward
from showdown.engine.graphs.capture import answering_forward

TOKENS = 64
NETWORKS = {"whole": (False, False), "lora": (False, True), "qlora": (True, True)}
"""By name: whether weights are in four bits, and whether there are adapters."""


def network(options: argparse.Namespace, *, four_bit: bool, adapters: bool) -> Any:
    """Return a network with random weights, and adapters that have learned something."""
    from peft import LoraConfig, get_peft_model

    model = language_model(options.shape, four_bit=four_bit, device=options.device)
    if not adapters:
        return model
    torch.manual_seed(1)
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    for name, value in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.02)
    return adapted


def measure(name: str, model: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time a network in all ways."""
    launched: Any = choose_forward(model.eval(), pad_token_id=PAD, device=options.device)
    graphs: Any = answering_forward(choose_forward(model, pad_token_id=PAD, device=options.device))
    given = prompts(SHAPES[options.shape]["vocab_size"], count=16, beginning=100, shortest=200, longest=400)
    found = in_turns(
        {
            "graphs": lambda: written(graphs, given, TOKENS),
            "launched": lambda: written(launched, given, TOKENS),
            "transformers": lambda: generated(model, given, TOKENS, pad=PAD, device=options.device),
        },
        rounds=options.rounds,
        tokens=TOKENS,
    )
    print(name, found, flush=True)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", choices=SHAPES, default="7b")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    options = parser.parse_args()
    found = {}
    for name in options.networks.split(","):
        four_bit, adapters = NETWORKS[name]
        model = network(options, four_bit=four_bit, adapters=adapters)
        found[name] = measure(name, model, options)
        del model
        free_memory(options.device)
    write_result(options, found, device=options.device)


if __name__ == "__main__":
    main()
