"""Seconds and memory of an epoch by the engine and by the recipe, side by side on one GPU, one process a case.

    python -m benchmarks.gpu.engine_vs_recipe --every 4 --out benchmarks/results

The recipe is transformers' Trainer with PEFT and bitsandbytes and the study's settings. Each case measures a part of an
epoch (`--every`, `--steps`); seconds an epoch are scaled by tokens. Repeats are interleaved: every case once, then
every case again (`--again`: only some). Each process is forked from one that imported the libraries and never used the
GPU; Unsloth's, which must be imported before transformers, is a fresh one. `growth` times steps of 512 tokens and of
many. A call without `--cases` measures everything but Unsloth and growth.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", UNSLOTH_DISABLE_STATISTICS="1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from benchmarks.lib.processes import in_a_process, way_to_start
from benchmarks.lib.result import Place, argument_parser, write_result
from benchmarks.lib.timing import spread
from showdown.engine.budget import LEAN_FP8_TOKENS, LEAN_TOKENS

WARMUP_STEPS = 3
GROWTH_TOKENS = (512, 2048, 16384)
SETTINGS = ("cases", "repeats", "again", "every", "steps", "seconds", "case_seconds", "start")
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


def _asked_for() -> list[Case]:
    """Return the cases that run only where they are named."""
    return [
        Case(name="unsloth-lora", side="unsloth", method="lora", dropout=0.0),
        Case(name="unsloth-lora-checkpointing", side="unsloth", method="lora", dropout=0.0,
             settings={"checkpointing": True}),
        Case(name="unsloth-qlora", side="unsloth", method="qlora", dropout=0.0, settings={"checkpointing": True}),
        Case(name="growth", side="growth", method="lora", repeats=1),
    ]  # fmt: skip


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


def measure(case: Case, options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Run one case in this process; `folder` is that of the checkpoint, for Unsloth."""
    from benchmarks.lib.workload import FLOPS_PER_SECOND, arithmetic, steps_of, training_rows, vocabulary_of

    if case.side == "growth":
        from benchmarks.gpu.step_growth import short_and_long

        return {"growth": short_and_long(options, GROWTH_TOKENS[: 2 if options.tiny else None])}
    rows = training_rows(vocabulary_of(tiny=options.tiny))
    steps = steps_of(case.method, rows, every=options.every, at_most=options.steps)
    shared = {"tiny": options.tiny, "device": options.device, "dropout": case.dropout}
    warmup = _longest_first(steps, rows.lengths)
    if case.side == "unsloth":
        from benchmarks.lib import unsloth_classifier

        checkpointing = bool(case.settings.get("checkpointing"))
        found = unsloth_classifier.run(case.method, rows, steps, warmup, folder=folder, checkpointing=checkpointing)
    elif case.side == "recipe":
        from benchmarks.lib import recipe

        grouped = bool(case.settings.get("grouped"))
        if grouped:
            steps = _grouped(steps, rows.lengths, recipe.BATCH[case.method])
        clip = bool(case.settings.get("clip", True))
        found = recipe.run(case.method, rows, steps, warmup, **shared, grouped=grouped, curve=False, clip=clip)
    else:
        from benchmarks.lib import engine

        found = engine.run(case.method, rows, steps, warmup, **shared, settings=case.settings)
    tokens = sum(rows.lengths[row] for step in steps for row in step)
    return found | {
        "steps": len(steps),
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
        timed = bool(good) and case.side != "growth"
        line |= {key: spread([run[key] for run in good]) for key in SUMMED} if timed else {}
        lines.append(line)
    by_name = {line["case"]: line for line in lines if "seconds_per_epoch" in line}
    for case, line in zip(cases, lines, strict=True):
        for rival, name in _rivals(case).items():
            if name in by_name and line["case"] in by_name:
                line[f"speed_over_{rival}"] = _epoch(by_name[name]) / _epoch(line)
    return lines


def _rivals(case: Case) -> dict[str, str]:
    """Return the names of the cases that this one is compared with."""
    method, ending = case.method.removesuffix("-fp8"), "-dropout0" if case.dropout == 0.0 else ""
    found = {rival: f"{rival}-{method}{ending}" for rival in ("recipe", "strongest")}
    found["unsloth"] = f"unsloth-{method}"
    if case.method != method:
        found["bf16"] = case.name.removesuffix("-fp8")
    return found


def _epoch(line: dict[str, Any]) -> float:
    return float(line["seconds_per_epoch"]["median"])


GOALS = (
    ("speed-full", "speed_over_recipe", 3.0),
    ("speed-qlora", "speed_over_recipe", 3.8),
    ("speed-full-fp8", "speed_over_bf16", 1.25),
    ("speed-lora-fp8", "speed_over_bf16", 1.45),
    ("speed-lora-fp8", "speed_over_recipe", 3.3),
    ("speed-lora-fp8", "speed_over_unsloth", 2.0),
    ("lean-lora-fp8", "speed_over_bf16", 1.7),
)
"""Case, ratio, and the least that it should be."""
LEAN_FP8_GB = 10.0
GROWTH = 1.1
"""Time a token of a step of 512 tokens, over that of a large step, at most."""


def goals(lines: list[dict[str, Any]], runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return each goal that was measured: what is wanted, what was found, whether it is met."""
    by_name = {line["case"]: line for line in lines}
    found = [
        {"goal": f"{case}: {ratio}", "at_least": least, "found": by_name[case][ratio]}
        for case, ratio, least in GOALS
        if ratio in by_name.get(case, {})
    ]
    lean = by_name.get("lean-lora-fp8", {})
    if "peak_allocated_gb" in lean:
        found.append(
            {"goal": "lean-lora-fp8: GB", "at_most": LEAN_FP8_GB, "found": lean["peak_allocated_gb"]["median"]}
        )
    for run in runs.get("growth", []):
        if "growth" in run:
            shortest, *_, longest = (line["seconds"] / line["tokens"] for line in run["growth"])
            found.append({"goal": "growth: 512 tokens over many", "at_most": GROWTH, "found": shortest / longest})
    for one in found:
        one["met"] = one.get("at_least", 0.0) <= one["found"] <= one.get("at_most", float("inf"))
    return found


def _print(lines: list[dict[str, Any]]) -> None:
    print(
        f"{'case':24} {'s/epoch':>16} {'tok/s':>8} {'share':>6} {'alloc':>6} {'resv':>6} "
        f"{'dev':>6} {'x recipe':>8} {'x best':>7} {'x unsloth':>9} {'x bf16':>7}"
    )
    for line in lines:
        if "seconds_per_epoch" not in line:
            print(f"{line['case']:24} no time")
            continue
        epoch = line["seconds_per_epoch"]
        medians = [line[key]["median"] for key in SUMMED[1:]]
        print(
            f"{line['case']:24} {epoch['median']:6.2f} [{epoch['low']:.2f}-{epoch['high']:.2f}] {medians[0]:8.0f} "
            f"{medians[1]:6.1%} {medians[2]:6.2f} {medians[3]:6.2f} {medians[4]:6.2f} "
            f"{line.get('speed_over_recipe', 0):8.2f} {line.get('speed_over_strongest', 0):7.2f} "
            f"{line.get('speed_over_unsloth', 0):9.2f} {line.get('speed_over_bf16', 0):7.2f}"
        )


def main() -> None:
    """Run the cases and write their results."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument(
        "--cases", default="", help="names with commas between, `*` for any letters, the most important first"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--again", default="*", help="the cases that are repeated, written as in --cases")
    parser.add_argument("--every", type=int, default=1, help="measure every N-th step of the epoch", metavar="N")
    parser.add_argument("--steps", type=int, default=None, help="measure at most so many steps")
    parser.add_argument("--seconds", type=float, default=1e9, help="end everything after so many seconds")
    parser.add_argument("--case-seconds", type=float, default=120, help="end a case after so many seconds")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    cases = _named([*_cases(), *_asked_for()], options.cases) if options.cases else _cases()
    with tempfile.TemporaryDirectory() as folder:
        _run_all(cases, options, folder)


def _named(cases: list[Case], names: str) -> list[Case]:
    """Return the cases that are named, in that order."""
    found = [case for name in names.split(",") for case in cases if fnmatch(case.name, name)]
    return list({case.name: case for case in found}.values())


def _run_all(cases: list[Case], options: argparse.Namespace, folder: str) -> None:
    options.start = way_to_start(options.device, ("bitsandbytes", "peft", "transformers.trainer"))
    runs: dict[str, list[dict[str, Any]]] = {case.name: [] for case in cases}
    began, place, written = time.perf_counter(), None, False
    again = _named(cases, options.again)
    for repeat in range(options.repeats):
        for case in again if repeat else cases:
            left = options.seconds - (time.perf_counter() - began)
            if repeat >= (case.repeats or options.repeats) or left <= 0:
                continue
            ways: dict[str, Any] = {"device": options.device, "seconds": min(left, options.case_seconds)}
            if case.side == "unsloth" and not written:
                written = True
                made = in_a_process(_checkpoint, (folder, options), **ways, start=options.start)
                print(f"{time.perf_counter() - began:7.1f} checkpoint {json.dumps(made)}", flush=True)
            way = "spawn" if case.side == "unsloth" else options.start
            run = in_a_process(measure, (case, options, folder), **ways, start=way)
            if "place" in run:  # of the child: this process must not start CUDA, or it could fork no more
                place = Place.model_validate(run.pop("place"))
            runs[case.name].append(run)
            shown = {key: value for key, value in runs[case.name][-1].items() if key != "losses"}
            print(f"{time.perf_counter() - began:7.1f} {case.name} {json.dumps(shown)}", flush=True)
            if place:
                _write(options, place, cases, runs)
    lines = summary(cases, runs)
    _print(lines)
    for goal in goals(lines, runs):
        print(json.dumps(goal))


def _checkpoint(folder: str, options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.lib.unsloth_classifier import write_classifier

    return write_classifier(folder, tiny=options.tiny, device=options.device)


def _write(options: argparse.Namespace, place: Place, cases: list[Case], runs: dict[str, list[dict[str, Any]]]) -> None:
    """Write what is measured so far, so that a call that is cut short keeps it."""
    lines = summary(cases, runs)
    results: dict[str, Any] = {
        "settings": {key: getattr(options, key) for key in SETTINGS},
        "summary": lines,
        "goals": goals(lines, runs),
        "cases": [asdict(case) | {"runs": runs[case.name]} for case in cases],
    }
    write_result(options, results, place=place)


if __name__ == "__main__":
    main()
