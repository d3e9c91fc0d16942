"""Seconds and memory of an epoch by the engine and by the recipe, side by side on one GPU, one process a case.

    python -m benchmarks.gpu.engine_vs_recipe --every 4 --out benchmarks/results

The recipe is transformers' Trainer with PEFT and bitsandbytes and the study's settings. Each case measures a part of an
epoch (`--every`, `--steps`); seconds an epoch are scaled by tokens. Repeats are interleaved: every case once, then
every case again. Each process is forked from one that imported the libraries and never used the GPU.
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from benchmarks.lib.processes import in_a_process, way_to_start
from benchmarks.lib.result import Place, argument_parser, write_result
from benchmarks.lib.timing import spread
from showdown.engine.budget import LEAN_FP8_TOKENS, LEAN_TOKENS

WARMUP_STEPS = 3
SETTINGS = ("cases", "repeats", "every", "steps", "seconds", "start")
"""Options that a result repeats, since their defaults may change."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to train, which is measured in a process of its own."""

    name: str
    side: str
    method: str
    dropout: float = 0.1
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the engine: see `benchmarks.lib.engine.Training`. Of the recipe: `grouped`, `clip`."""
    repeats: int | None = None
    """By default as many as the command line says."""


def _cases() -> list[Case]:
    recipe = [Case(name=f"recipe-{m}", side="recipe", method=m) for m in ("full", "lora", "qlora")]
    speed = [
        Case(name="speed-full", side="engine", method="full", settings={"micro_rows": 8}),
        Case(name="speed-lora", side="engine", method="lora", settings={"micro_rows": 16}),
        Case(name="speed-qlora", side="engine", method="qlora", settings={"micro_rows": 16}),
        Case(name="speed-full-fp8", side="engine", method="full-fp8", settings={"micro_rows": 8}),
        Case(name="speed-lora-fp8", side="engine", method="lora-fp8", settings={"micro_rows": 16}),
    ]
    lean = [
        Case(
            name="recipe-full-noclip", side="recipe", method="full", settings={"clip": False}, repeats=1
        ),
        Case(
            name="lean-full", side="engine", method="full",
            settings={"micro_rows": 8, "recompute": True, "in_backward": True},
        ),
        Case(
            name="lean-lora", side="engine", method="lora",
            settings={"micro_rows": 16, "micro_tokens": 4352, "recompute": True},
        ),
        Case(
            name="lean-qlora", side="engine", method="qlora",
            settings={"micro_rows": 16, "micro_tokens": LEAN_TOKENS, "recompute": True},
        ),
        Case(
            name="lean-lora-fp8", side="engine", method="lora-fp8",
            settings={"micro_rows": 16, "micro_tokens": LEAN_FP8_TOKENS, "recompute": True},
        ),
        Case(
            name="host-full", side="engine", method="full", repeats=1,
            settings={"micro_rows": 8, "recompute": True, "in_backward": True, "moments_on_host": True},
        ),
    ]  # fmt: skip
    strongest = [
        Case(name=f"strongest-{m}", side="recipe", method=m, settings={"grouped": True})
        for m in ("full", "lora", "qlora")
    ]
    between = [
        Case(name="budget-lora", side="engine", method="lora", settings={"budget_gb": 30.0}),
        Case(name="budget-qlora", side="engine", method="qlora", settings={"budget_gb": 20.0}),
    ]
    return recipe + speed + lean + strongest + between + _variants(lean + between)


def _variants(ours: list[Case]) -> list[Case]:
    """Return cases that differ in one thing from others; `ours` are those of the engine that take several packs."""
    from benchmarks.lib.workload import EFFECTIVE_ROWS

    attention = [
        Case(name=f"torch-attention-{m}", side="engine", method=m,
             settings={"micro_rows": EFFECTIVE_ROWS[m], "cudnn": False})
        for m in ("full", "lora")
    ]  # fmt: skip
    graphs = [
        replace(one, name=f"graphs-{one.name}", settings=one.settings | {"graphs": True})
        for one in ours
        if one.side == "engine" and one.method != "full"
    ]
    without = [
        Case(name=f"recipe-{m}-dropout0", side="recipe", method=m, dropout=0.0, repeats=1) for m in ("lora", "qlora")
    ] + [
        Case(name=f"speed-{m}-dropout0", side="engine", method=m, dropout=0.0, settings={"micro_rows": 16}, repeats=1)
        for m in ("lora", "qlora")
    ]
    return attention + graphs + without


def _grouped(steps: list[list[int]], lengths: list[int], per_device: int) -> list[list[int]]:
    """Return the same rows, sorted by length within 50 batches, as transformers' sampler sorts them."""
    import torch
    from transformers.trainer_pt_utils import LengthGroupedSampler

    flat = [row for step in steps for row in step]
    sampler = LengthGroupedSampler(
        per_device, lengths=[lengths[row] for row in flat], generator=torch.Generator().manual_seed(0)
    )
    order = [flat[place] for place in sampler]
    size = len(steps[0])
    return [order[start : start + size] for start in range(0, len(order), size)]


def measure(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Run one case in this process."""
    from benchmarks.lib import engine, recipe
    from benchmarks.lib.workload import FLOPS_PER_SECOND, arithmetic, steps_of, training_rows, vocabulary_of

    rows = training_rows(vocabulary_of(tiny=options.tiny))
    steps = steps_of(case.method, rows, every=options.every, at_most=options.steps)
    shared = {"tiny": options.tiny, "device": options.device, "dropout": case.dropout}
    warmup = _longest_first(steps, rows.lengths)
    if case.side == "recipe":
        grouped = bool(case.settings.get("grouped"))
        if grouped:
            steps = _grouped(steps, rows.lengths, recipe.BATCH[case.method])
        clip = bool(case.settings.get("clip", True))
        found = recipe.run(case.method, rows, steps, warmup, **shared, grouped=grouped, curve=False, clip=clip)
    else:
        found = engine.run(case.method, rows, steps, warmup, **shared, settings=case.settings)
    tokens = sum(rows.lengths[row] for step in steps for row in step)
    return found | {
        "tokens": tokens,
        "seconds_per_epoch": found["seconds"] * sum(rows.lengths) / tokens,
        "tokens_per_second": tokens / found["seconds"],
        "share_of_arithmetic_limit": arithmetic(case.method, tokens) / FLOPS_PER_SECOND / found["seconds"],
    }


def _longest_first(steps: list[list[int]], lengths: list[int]) -> list[list[int]]:
    """Return the warm-up steps. The first has the most tokens, so that the allocator grows before the measurement."""
    by_tokens = sorted(steps, key=lambda step: -sum(lengths[row] for row in step))
    return [by_tokens[0], by_tokens[-1], by_tokens[0]][:WARMUP_STEPS]


SUMMED = ("seconds_per_epoch", "tokens_per_second", "share_of_arithmetic_limit", "peak_allocated_gb",
          "peak_reserved_gb", "device_gb")  # fmt: skip


def summary(cases: list[Case], runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return one line a case: the median and spread, and the speed over the recipe and the strongest recipe."""
    lines = []
    for case in cases:
        good = [run for run in runs[case.name] if "error" not in run]
        line: dict[str, Any] = {"case": case.name, "repeats": len(good)}
        line |= {key: spread([run[key] for run in good]) for key in SUMMED} if good else {}
        lines.append(line)
    by_name = {line["case"]: line for line in lines}
    for case, line in zip(cases, lines, strict=True):
        for rival in ("recipe", "strongest"):
            ending = "-dropout0" if case.dropout == 0.0 else ""
            other = by_name.get(f"{rival}-{case.method}{ending}", {})
            if "seconds_per_epoch" in other and "seconds_per_epoch" in line:
                ratio = other["seconds_per_epoch"]["median"] / line["seconds_per_epoch"]["median"]
                line[f"speed_over_{rival}"] = ratio
    return lines


def _print(lines: list[dict[str, Any]]) -> None:
    print(
        f"{'case':24} {'s/epoch':>16} {'tok/s':>8} {'share':>6} {'alloc':>6} {'resv':>6} "
        f"{'dev':>6} {'x recipe':>8} {'x best':>7}"
    )
    for line in lines:
        if "seconds_per_epoch" not in line:
            print(f"{line['case']:24} failed")
            continue
        epoch = line["seconds_per_epoch"]
        medians = [line[key]["median"] for key in SUMMED[1:]]
        print(
            f"{line['case']:24} {epoch['median']:6.2f} [{epoch['low']:.2f}-{epoch['high']:.2f}] {medians[0]:8.0f} "
            f"{medians[1]:6.1%} {medians[2]:6.2f} {medians[3]:6.2f} {medians[4]:6.2f} "
            f"{line.get('speed_over_recipe', 0):8.2f} {line.get('speed_over_strongest', 0):7.2f}"
        )


def main() -> None:
    """Run the cases and write their results."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cases", default="", help="names with commas between, `*` for any letters; by default all")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="measure every N-th step of the epoch", metavar="N")
    parser.add_argument("--steps", type=int, default=None, help="measure at most so many steps")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no case after so many seconds")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    wanted = [name for name in options.cases.split(",") if name]
    cases = [case for case in _cases() if not wanted or any(fnmatch(case.name, name) for name in wanted)]
    options.start = way_to_start(options.device, ("bitsandbytes", "peft", "transformers.trainer"))
    runs: dict[str, list[dict[str, Any]]] = {case.name: [] for case in cases}
    began, place = time.perf_counter(), None
    for repeat in range(options.repeats):
        for case in cases:
            if repeat >= (case.repeats or options.repeats) or time.perf_counter() - began > options.seconds:
                continue
            run = in_a_process(measure, (case, options), device=options.device, start=options.start)
            if "place" in run:  # of the child: this process must not start CUDA, or it could fork no more
                place = Place.model_validate(run.pop("place"))
            runs[case.name].append(run)
            shown = {key: value for key, value in runs[case.name][-1].items() if key != "losses"}
            print(f"{time.perf_counter() - began:7.1f} {case.name} {json.dumps(shown)}", flush=True)
            if place:
                _write(options, place, cases, runs)
    _print(summary(cases, runs))


def _write(options: argparse.Namespace, place: Place, cases: list[Case], runs: dict[str, list[dict[str, Any]]]) -> None:
    """Write what is measured so far, so that a call that is cut short keeps it."""
    results: dict[str, Any] = {
        "settings": {key: getattr(options, key) for key in SETTINGS},
        "summary": summary(cases, runs),
        "cases": [asdict(case) | {"runs": runs[case.name]} for case in cases],
    }
    write_result(options, results, place=place)


if __name__ == "__main__":
    main()
