"""Training of a language model by Showdown, TRL's SFTTrainer and Unsloth, side by side on one GPU, one process a case.

    python -m benchmarks.gpu.language_model --out benchmarks/results

A network of Mistral-7B's shape with random weights, rows of instruction data's lengths, loss on the answers alone. All
have the same weights, rows, order, 16 rows a step, learning rate, which falls linearly to 0, clipping at 1.0 and AdamW
on the GPU; LoRA and QLoRA with rank 16 on all seven matrices of a layer and dropout 0, the default of all three. Each
party sets its micro-batch and checkpointing as suits it best: where several settings could be the best, each is a case.
A speed is all tokens a second, prompts included: the median of laps over the same steps, after a warm-up. Peaks of
memory are of the warm-up too.

TRL runs padding-free on torch's FlashAttention 2, with Liger's kernels and bfloat16 adapters. Its own defaults are
padded rows, checkpointing and adapters in float32; it computes head and loss together, over answers alone, by itself.
Unsloth attends by xformers where that is installed, else by torch; its default is its checkpointing, which moves
activations to the host. `benchmarks.lib.offline_packages --what peers` collects both for a machine without a network.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", UNSLOTH_DISABLE_STATISTICS="1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from benchmarks.lib.processes import in_a_process, way_to_start
from benchmarks.lib.result import Place, argument_parser, write_result
from benchmarks.lib.timing import spread

if TYPE_CHECKING:
    from benchmarks.lib.language_model import Work

IMPORTED_BEFORE = ("bitsandbytes", "peft", "trl.trainer.sft_trainer")
"""Of all but Unsloth, which wants to be imported first."""
METHODS = ("full", "lora", "qlora")
SETTINGS = ("cases", "again", "shape", "steps", "laps", "repeats", "seconds")
"""Options that a result repeats, since their defaults may change."""
SUMMED = ("tokens_per_second", "peak_allocated_gb", "peak_reserved_gb", "device_gb", "mean_loss")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to train, which is measured in a process of its own."""

    name: str
    party: str
    method: str
    settings: dict[str, Any]
    """Of Showdown: `memory`. Of the others: `micro_rows`, `checkpointing`."""


def _showdown(method: str, memory: str) -> Case:
    return Case(name=f"showdown-{method}-{memory}", party="showdown", method=method, settings={"memory": memory})


def _case(party: str, method: str, micro_rows: int, *, checkpointing: bool = False) -> Case:
    name = f"{party}-{method}-{micro_rows}" + ("-checkpointing" if checkpointing else "")
    return Case(
        name=name, party=party, method=method, settings={"micro_rows": micro_rows, "checkpointing": checkpointing}
    )


CASES = [
    *(_showdown(method, "speed") for method in METHODS),
    *(_showdown(method, "lean") for method in METHODS),
    *(_case("trl", method, 16) for method in ("lora", "qlora")),
    *(_case("trl", "full", rows) for rows in (4, 8)),
    *(_case("trl", method, 16, checkpointing=True) for method in ("lora", "qlora", "full")),
    *(_case("unsloth", method, 16) for method in ("lora", "qlora")),
    *(_case("unsloth", "full", rows) for rows in (4, 8)),
    *(_case("unsloth", method, 16, checkpointing=True) for method in ("lora", "qlora", "full")),
]


def named(cases: list[Case], names: str) -> list[Case]:
    """Return the cases that are named: names with commas between, `*` for any letters."""
    return [case for case in cases if any(fnmatch(case.name, name) for name in names.split(","))]


def measure(case: Case, options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Run one case in this process.

    Args:
        case: what to run.
        options: of the command line.
        folder: of the checkpoint, for a party that loads one.

    """
    from benchmarks.lib.language_model import SHAPES, work

    rows = work(SHAPES[options.shape]["vocab_size"], steps=options.steps, laps=options.laps)
    found = _train(case, rows, options.shape, folder)
    speeds = [rows.lap_tokens / seconds for seconds in found["lap_seconds"]]
    return found | {
        "tokens_a_lap": rows.lap_tokens,
        "lap_tokens_per_second": speeds,
        "tokens_per_second": spread(speeds)["median"],
    }


def _train(case: Case, rows: "Work", shape: str, folder: str) -> dict[str, Any]:
    if case.party == "showdown":
        from benchmarks.lib.showdown_party import run_showdown

        return run_showdown(case.method, rows, shape=shape, device="cuda", settings=case.settings)
    from benchmarks.lib.sft_peers import run_trl, run_unsloth

    if case.party == "trl":
        return run_trl(case.method, rows, shape=shape, device="cuda", settings=case.settings)
    return run_unsloth(case.method, rows, folder=folder, settings=case.settings)


def _checkpoint(shape: str, folder: str) -> dict[str, Any]:
    from benchmarks.lib.language_model import write_checkpoint

    write_checkpoint(shape, Path(folder), device="cuda")
    return {}


def summary(cases: list[Case], runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return one line a case: median and spread of its runs; with Showdown, speed and memory over each rival's case."""
    lines = []
    for case in cases:
        good = [run for run in runs[case.name] if "error" not in run]
        line: dict[str, Any] = {"case": case.name, "party": case.party, "method": case.method, "repeats": len(good)}
        lines.append(line | ({key: spread([run[key] for run in good]) for key in SUMMED} if good else {}))
    measured = [line for line in lines if line["repeats"]]
    for line in measured:
        if line["party"] == "showdown":
            rivals = [one for one in measured if one["method"] == line["method"] and one["party"] != "showdown"]
            line["over"] = {
                one["case"]: {
                    "speed": _median(line, "tokens_per_second") / _median(one, "tokens_per_second"),
                    "memory": _median(line, "peak_allocated_gb") / _median(one, "peak_allocated_gb"),
                }
                for one in rivals
            }
    return lines


def _median(line: dict[str, Any], key: str) -> float:
    return float(line[key]["median"])


def _print(lines: list[dict[str, Any]]) -> None:
    print(f"{'case':32} {'tokens/s':>24} {'alloc':>7} {'resv':>7} {'device':>7} {'loss':>7}")
    for line in lines:
        if not line["repeats"]:
            print(f"{line['case']:32} failed")
            continue
        speed = line["tokens_per_second"]
        medians = " ".join(f"{_median(line, key):7.2f}" for key in SUMMED[1:])
        print(f"{line['case']:32} {speed['median']:8.0f} [{speed['low']:.0f}-{speed['high']:.0f}] {medians}")
        for rival, over in line.get("over", {}).items():
            print(f"    {over['speed']:.2f} times the speed and {over['memory']:.2f} times the memory of {rival}")


def main() -> None:
    """Run the cases and write their results."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cases", default="", help="names with commas between, `*` for any letters; by default all")
    parser.add_argument("--shape", default="7b", choices=("7b", "1b", "tiny"))
    parser.add_argument("--steps", type=int, default=12, help="steps of a lap")
    parser.add_argument("--laps", type=int, default=3, help="laps of a case")
    parser.add_argument("--repeats", type=int, default=1, help="processes of a case: every case once, then again")
    parser.add_argument("--again", default="*", help="the cases that come again, written as in --cases; by default all")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no case after so many seconds")
    parser.add_argument("--case-seconds", type=float, default=300, help="end a case after so many seconds")
    options = parser.parse_args()
    cases = named(CASES, options.cases) if options.cases else CASES
    with tempfile.TemporaryDirectory() as folder:
        _run_all(cases, options, folder)


def _run_all(cases: list[Case], options: argparse.Namespace, folder: str) -> None:
    runs: dict[str, list[dict[str, Any]]] = {case.name: [] for case in cases}
    began, place = time.perf_counter(), None
    start = way_to_start("cuda", IMPORTED_BEFORE)
    ways: dict[str, Any] = {"device": "cuda", "seconds": options.case_seconds}
    if any(case.party == "unsloth" for case in cases):
        written = in_a_process(_checkpoint, (options.shape, folder), **ways, start=start)
        print(f"checkpoint: {json.dumps(written)}", flush=True)
    for repeat in range(options.repeats):
        for case in named(cases, options.again) if repeat else cases:
            if time.perf_counter() - began > options.seconds:
                continue
            way = "spawn" if case.party == "unsloth" else start
            run = in_a_process(measure, (case, options, folder), **ways, start=way)
            if "place" in run:
                place = Place.model_validate(run.pop("place"))
            runs[case.name].append(run)
            print(f"{time.perf_counter() - began:7.1f} {case.name} {json.dumps(run)}", flush=True)
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
