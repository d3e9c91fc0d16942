"""Training SmolLM2-135M-Instruct on a CPU: Showdown's packed path beside transformers' padded one, in turns.

    python -m benchmarks.cpu.language_model --out benchmarks/results

Rows of the built-in notes, laid out as `comparisons/extraction.yaml` does: forward and backward passes of steps of 16
rows in micro-batches of 8, loss on the answers. `once` computes once what all rows of a micro-batch begin with,
`packed` for each row. `transformers` pads the rows of a micro-batch, sorted by length as they are for the others, and
computes the loss from the logits of all tokens. One thread by default, timed by the processor's time, which other
programs on the machine disturb least.
"""

import csv
import io
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import torch

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import spread
from showdown.core.chat import prompt_of
from showdown.core.examples import Examples
from showdown.core.method import Job, Placement, TunedMethod
from showdown.core.spec import ModelSpec, SharedProtocol
from showdown.core.task import EncodedExamples
from showdown.engine.forward import choose_forward
from showdown.methods.table import build
from showdown.models.built_in import built_in_folder
from showdown.models.network import load_network
from showdown.models.tokens import load_tokenizer
from showdown.tasks.generation.task import Generation

MODEL = "smollm2-135m-instruct"
SYSTEM = "Answer with one line of JSON: customer, item, quantity, day (Mon to Sun, or null), urgent (true or false)."
STEP_ROWS, MICRO_ROWS, LIMIT, IGNORED = 16, 8, 160, -100


def examples(count: int, protocol: SharedProtocol) -> EncodedExamples:
    """Return the first notes as token ids."""
    text = files("showdown.datasets").joinpath("notes.csv").read_text(encoding="utf-8")
    rows = [row for _, row in zip(range(count), csv.DictReader(io.StringIO(text)), strict=False)]
    numbers = tuple(range(count))
    given = Examples(
        texts=tuple(prompt_of(row["note"], system=SYSTEM) for row in rows),
        answers=tuple(row["answer"] for row in rows),
        row_ids=numbers,
        duplicate_groups=numbers,
    )
    return Generation().encode(load_tokenizer(built_in_folder(MODEL)), given, LIMIT, protocol)


def micro_batches(rows: EncodedExamples) -> list[tuple[list[torch.Tensor], torch.Tensor, int]]:
    """Return sequences and targets of each micro-batch, and the loss terms of its step."""
    found = []
    for start in range(0, len(rows.ids), STEP_ROWS):
        step = sorted(range(start, start + STEP_ROWS), key=lambda row: -len(rows.ids[row]))
        terms = sum(target != IGNORED for row in step for target in rows.targets[row])
        for first in range(0, STEP_ROWS, MICRO_ROWS):
            micro = step[first : first + MICRO_ROWS]
            targets = torch.tensor([target for row in micro for target in rows.targets[row]])
            found.append(([torch.tensor(rows.ids[row]) for row in micro], targets, terms))
    return found


def padded_loss(module: Any, sequences: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """Return the loss sum as transformers computes it from padded rows."""
    ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=2)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(one) for one in sequences], batch_first=True)
    parts = list(torch.split(targets, [len(one) for one in sequences]))
    wanted = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=IGNORED)
    logits = module(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def measure(method: str, *, steps: int, rounds: int) -> dict[str, Any]:
    """Time a method in all three ways."""
    protocol = SharedProtocol()
    job = Job(
        task=Generation(), labels=(), model=ModelSpec(id=MODEL), protocol=protocol, seed=0,
        placement=Placement(device="cpu", dtype="float32"),
    )  # fmt: skip
    built = build(method, {})
    assert isinstance(built, TunedMethod)
    module = built.adapt(load_network(built_in_folder(MODEL), job, built.options)).train()
    path: Any = choose_forward(module, pad_token_id=2, device="cpu")
    objective = job.task.objective(protocol)
    rows = examples(steps * STEP_ROWS, protocol)
    batches = micro_batches(rows)

    def packed(*, once: bool) -> Callable[[list[torch.Tensor], torch.Tensor], torch.Tensor]:
        def loss(sequences: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
            path.shares_beginnings = once
            found: torch.Tensor = path.loss_sum(sequences, targets, objective)
            return found

        return loss

    ways = {
        "once": packed(once=True),
        "packed": packed(once=False),
        "transformers": lambda sequences, targets: padded_loss(module, sequences, targets),
    }
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            module.zero_grad(set_to_none=True)
            began, losses[name] = clock(), 0.0
            for sequences, targets, terms in batches[: None if turn else 1]:
                loss = way(sequences, targets) / terms
                loss.backward()  # type: ignore[no-untyped-call]
                losses[name] += float(loss.detach())
            if turn:
                seconds[name].append(clock() - began)
    tokens = sum(rows.lengths)
    speeds = {name: tokens / spread(taken)["median"] for name, taken in seconds.items()}
    path.shares_beginnings = True
    packs = [path.lay_out(sequences, targets, IGNORED).pack for sequences, targets, _ in batches]
    print(method, {name: round(speed) for name, speed in speeds.items()}, losses, flush=True)
    return {
        "tokens": tokens,
        "counted_tokens": sum(target != IGNORED for row in rows.targets for target in row),
        "tokens_with_beginnings_once": sum(pack.ids.numel() for pack in packs),
        "seconds": {name: spread(taken) for name, taken in seconds.items()},
        "tokens_per_second": speeds,
        "losses": losses,
        "once_over_transformers": speeds["once"] / speeds["transformers"],
        "once_over_packed": speeds["once"] / speeds["packed"],
    }


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--methods", default="full,lora,qlora")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {
        method: measure(method, steps=options.steps, rounds=options.rounds) for method in options.methods.split(",")
    }
    write_result(options, {"threads": options.threads, **found})


if __name__ == "__main__":
    main()
