"""Writing with SmolLM2-135M-Instruct on a CPU: Showdown's packed path beside transformers' `generate`, in turns.

    python -m benchmarks.cpu.writing --out benchmarks/results

16 prompts of 80 to 100 random tokens, the first 50 of which are the same, and 40 new tokens behind each, greedily. The
whole network, and adapters on all its linear layers beside the weights. One thread by default, timed by the processor's
time, which other programs on the machine disturb least.
"""

import time
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.writing import generated, in_turns, prompts, written
from showdown.engine.forward import choose_forward
from showdown.models.built_in import built_in_folder

MODEL = "smollm2-135m-instruct"
TOKENS, PAD = 40, 2


def measure(model: Any, *, rounds: int) -> dict[str, Any]:
    """Time a network both ways."""
    path: Any = choose_forward(model.eval(), pad_token_id=PAD, device="cpu")
    given = prompts(model.config.vocab_size, count=16, beginning=50, shortest=80, longest=100)
    found = in_turns(
        {
            "showdown": lambda: written(path, given, TOKENS),
            "transformers": lambda: generated(model, given, TOKENS, pad=PAD, device="cpu"),
        },
        rounds=rounds,
        tokens=TOKENS,
        clock=time.process_time if torch.get_num_threads() == 1 else time.perf_counter,
    )
    speeds = found["tokens_per_second"]
    print(f"{speeds}, {speeds['showdown'] / speeds['transformers']:.2f} times", flush=True)
    return found | {"speed_over_transformers": speeds["showdown"] / speeds["transformers"]}


def main() -> None:
    """Measure, print and write."""
    from transformers import AutoModelForCausalLM

    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model: Any = AutoModelForCausalLM.from_pretrained(built_in_folder(MODEL), dtype=torch.float32)
    whole = measure(model, rounds=options.rounds)
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear"))
    adapters = measure(adapted, rounds=options.rounds)
    write_result(options, {"whole": whole, "adapters": adapters, "threads": options.threads})


if __name__ == "__main__":
    main()
