"""Parts of a training step of a language model: common beginnings computed once, and the output layer with its loss.

    python -m benchmarks.gpu.language_steps

Mistral-7B's shape with random weights and adapters of rank 16 on all seven matrices of a layer. First one pass forward
and backward over 16 rows, the second half of each behind the common beginning with a loss, each row alone and what all
begin with once, in turns: milliseconds of the last of three. Then the kernel times of the output layer and the loss for
2,379 tokens, forward and backward, by torch's profiler.
"""

import argparse
import time
from typing import Any

import torch

from benchmarks.lib.language_model import IGNORED, SHAPES
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.showdown_party import lora_network
from benchmarks.lib.timing import synchronize
from benchmarks.lib.workload import PAD
from showdown.core.spec import SharedProtocol
from showdown.engine.accumulate import EagerAccumulator
from showdown.engine.decoder.cudnn_attention import building_for
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.forward import choose_forward
from showdown.engine.language.loss import chunked_loss_sum
from showdown.tasks.generation.objective import NextToken

ROWS, TURNS, LOSS_TOKENS = 16, 3, 2379
CASES = ((400, 200), (400, 100), (160, 64))
"""Most tokens of a row, and how many all begin with."""
OBJECTIVE = NextToken(SharedProtocol())


def rows_of(total: int, beginning: int, vocabulary: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return rows that begin alike, up to 19 tokens shorter than ``total``, and their targets."""
    generator = torch.Generator().manual_seed(0)

    def drawn(tokens: int) -> torch.Tensor:
        return torch.randint(10, vocabulary, (tokens,), generator=generator)

    common, rows, targets = drawn(beginning), [], []
    for _ in range(ROWS):
        shorter = int(torch.randint(0, 20, (1,), generator=generator))
        row = torch.cat([common, drawn(total - beginning - shorter)])
        following = torch.cat([row[1:], torch.tensor([IGNORED])])
        following[: beginning + (len(row) - beginning) // 2] = IGNORED
        rows.append(row)
        targets.append(following)
    return rows, torch.cat(targets)


def beginnings(module: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time passes with and without common beginnings."""
    found = []
    for total, beginning in CASES:
        rows, targets = rows_of(total, beginning, SHAPES[options.shape]["vocab_size"])
        building = None
        if options.device == "cuda":
            building = building_for(
                module.config, lengths=[len(row) for row in rows], micro_rows=ROWS, micro_tokens=None
            )
        path: Any = choose_forward(
            module, pad_token_id=PAD, device=options.device, attention=building.result() if building else None
        )
        path.shares_from = 0
        passes = EagerAccumulator(path, OBJECTIVE)
        line: dict[str, Any] = {"row_tokens": total, "common_tokens": beginning}
        for _ in range(TURNS):
            for name, once in (("each_ms", False), ("once_ms", True)):
                path.shares_beginnings = once
                synchronize(options.device)
                began = time.perf_counter()
                passes.accumulate(rows, targets, int((targets != IGNORED).sum()))
                synchronize(options.device)
                line[name] = 1e3 * (time.perf_counter() - began)
                module.zero_grad(set_to_none=True)
        print(line, flush=True)
        found.append(line)
    return found


def output_layer(module: Any, options: argparse.Namespace) -> dict[str, float]:
    """Return the milliseconds of each kernel of the output layer and the loss."""
    from torch.profiler import ProfilerActivity, profile

    path = choose_forward(module, pad_token_id=PAD, device=options.device)
    assert isinstance(path, PackedLanguageModel)
    shape = SHAPES[options.shape]
    kind = next(module.parameters()).dtype
    hidden = torch.randn(LOSS_TOKENS, shape["hidden_size"], device=options.device, dtype=kind, requires_grad=True)
    targets = torch.randint(10, shape["vocab_size"], (LOSS_TOKENS,), device=options.device)

    def once() -> None:
        chunked_loss_sum(hidden, targets, path.head, OBJECTIVE).backward()  # type: ignore[no-untyped-call]
        hidden.grad = None
        synchronize(options.device)

    for _ in range(TURNS):
        once()
    on = ProfilerActivity.CUDA if options.device == "cuda" else ProfilerActivity.CPU
    with profile(activities=[on]) as profiled:
        once()
    name = "self_device_time_total" if options.device == "cuda" else "self_cpu_time_total"
    times = {event.key: getattr(event, name) / 1e3 for event in profiled.key_averages()}
    taken = {key: value for key, value in sorted(times.items(), key=lambda pair: -pair[1]) if value > 0}
    for key, value in list(taken.items())[:10]:
        print(f"{value:8.3f} ms {key[:100]}")
    print(f"{sum(taken.values()):8.3f} ms together", flush=True)
    return taken


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", choices=SHAPES, default="7b")
    options = parser.parse_args()
    module = lora_network(options.shape, options.device).train()
    found = {"beginnings": beginnings(module, options), "output_layer_ms": output_layer(module, options)}
    write_result(options, found, device=options.device)


if __name__ == "__main__":
    main()
