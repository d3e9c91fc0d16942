"""Full fine-tuning in bfloat16 and in fp8: seconds a step, host time, kernels and memory, one process a case.

    python -m benchmarks.gpu.full_fp8 --out benchmarks/results

A 7B of random weights on every fourth step of the study's epoch, eight rows a step, AdamW included. In fp8 the
gradients of the weights are products in fp8 too, or in bfloat16: both are measured. First the kernels are compared with
plain PyTorch, and gradients of a small network in fp8 with those in bfloat16; what is wrong is printed and kept in the
result, and then nothing is timed in fp8.
"""

import argparse
import json
import time
from typing import Any

from benchmarks.lib.processes import in_a_process, way_to_start
from benchmarks.lib.result import Place, argument_parser, write_result
from benchmarks.lib.timing import spread

CASES = {
    "full": ("full", True),
    "full-fp8": ("full-fp8", True),
    "full-fp8, weight gradients in bf16": ("full-fp8", False),
}
"""Method, and whether weight gradients are in fp8."""
MOST_ERROR = 0.15
"""Of the gradients of a small network in fp8, relative to those in bfloat16."""
SUMMED = ("step_seconds", "python_seconds", "kernel_ms", "launches", "peak_allocated_gb", "peak_reserved_gb")


def check(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was compared, each with what differs: 0 for nothing."""
    found: dict[str, float] = {}
    if options.device == "cuda":
        found |= _kernel_checks()
    for in_fp8 in (True, False):
        gradients = [_small_gradients(method, options.device, in_fp8) for method in ("full", "full-fp8")]
        error = float((gradients[1] - gradients[0]).norm() / gradients[0].norm())
        found[f"gradients, weights' in {'fp8' if in_fp8 else 'bf16'}"] = error
    wrong = [name for name, value in found.items() if not value <= (MOST_ERROR if "gradients" in name else 1e-3)]
    return {"differences": found, "wrong": wrong}


def _kernel_checks() -> dict[str, float]:
    """Compare each kernel with plain PyTorch: the share of codes that differ."""
    import torch

    from benchmarks.lib.workload import random_bf16
    from showdown.fp8 import kernels
    from showdown.fp8.numbers import Quantised, rounded, turned

    found = {}

    def differ(name: str, codes: torch.Tensor, expected: torch.Tensor) -> None:
        found[name] = float((codes.view(torch.uint8) != expected.contiguous().view(torch.uint8)).float().mean())

    weights = [random_bf16(rows, 4096).mul_(0.02) for rows in (4096, 1024, 1024)]
    stack, plain = Quantised(*kernels.stacked(weights)), rounded(torch.cat(weights).float())
    differ("stack", stack.codes, plain.codes)
    differ("turned stack", kernels.turned_stack(weights, stack.scale), stack.codes.view(torch.uint8).t())
    three = [rounded(weight.float()).codes for weight in weights]
    differ("three transposed", kernels.transposed(three), torch.cat([one.view(torch.uint8) for one in three]).t())
    gate, up = random_bf16(2921, 2 * 14336).chunk(2, dim=1)
    product, codes, scale = kernels.gated(gate, up, silu=True, plain=True)
    assert product is not None
    differ("gated units", codes, rounded(product.float()).codes)
    back = kernels.turned_gated(gate, up, scale, silu=True)
    differ("turned gated units", back[:, :2921], codes.view(torch.uint8).t())
    found["zeros behind"] = float(back[:, 2921:].float().abs().sum())
    rows, factor = random_bf16(2921, 6144), torch.rand(2921, 1, device="cuda")
    columns = Quantised(*kernels.columns(rows, factor))
    differ("columns", columns.codes[:, :2921], rounded((rows.float() * factor).t()).codes)
    found["zeros behind columns"] = float(columns.codes[:, 2921:].float().abs().sum())
    differ("turned", turned(codes)[:, :2921], codes.view(torch.uint8).t())
    return found


def _small_gradients(method: str, device: str, in_fp8: bool) -> Any:
    import torch

    from benchmarks.lib.engine import Training
    from benchmarks.lib.workload import training_rows, vocabulary_of
    from showdown.fp8 import linear

    linear.WEIGHT_GRADIENTS_IN_FP8 = in_fp8
    rows = training_rows(vocabulary_of(tiny=True))
    settings = {"micro_rows": 8, "cudnn": False, "graphs": False}
    training = Training(method, rows, tiny=True, device=device, dropout=0.0, settings=settings)
    training.passes.accumulate([rows.ids[row] for row in range(8)], torch.tensor(rows.targets[:8]), 8)
    return torch.cat([value.grad.flatten().float() for value in training.learning.values() if value.grad is not None])


def measure(name: str, options: argparse.Namespace, profile: bool) -> dict[str, Any]:
    """Time the steps of one case, and profile one step where it is wanted."""
    import torch

    from benchmarks.gpu.step_profile import profiled_step, timed_steps
    from benchmarks.lib.engine import Training
    from benchmarks.lib.workload import steps_of, training_rows, vocabulary_of
    from showdown.engine.garbage_collector import paused_garbage_collector
    from showdown.fp8 import linear

    method, linear.WEIGHT_GRADIENTS_IN_FP8 = CASES[name]
    rows = training_rows(vocabulary_of(tiny=options.tiny))
    batches = steps_of(method, rows, every=4, at_most=options.steps)
    training = Training(method, rows, tiny=options.tiny, device=options.device, dropout=0.0, settings={"micro_rows": 8})
    with paused_garbage_collector():
        found: dict[str, Any] = {**timed_steps(training, rows, batches), "steps": len(batches) - 2}
        if options.device == "cuda":
            found["peak_allocated_gb"] = torch.cuda.max_memory_allocated() / 1e9
            found["peak_reserved_gb"] = torch.cuda.max_memory_reserved() / 1e9
        return found | (profiled_step(training, batches[2]) if profile else {})


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return median and spread of each case, and its rate over bfloat16."""
    lines: dict[str, dict[str, Any]] = {
        name: {
            key: spread([run[key] for run in good if key in run]) for key in SUMMED if any(key in run for run in good)
        }
        for name, all_runs in runs.items()
        if (good := [run for run in all_runs if "error" not in run])
    }
    for line in lines.values():
        if "full" in lines:
            line["over_bf16"] = lines["full"]["step_seconds"]["median"] / line["step_seconds"]["median"]
    return lines


def main() -> None:
    """Check, then measure the cases in turn and write after each."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=None, help="at most so many steps of a case")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=180, help="end everything after so many seconds")
    parser.add_argument("--case-seconds", type=float, default=60, help="end a case after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    start = way_to_start(options.device, ("transformers",))
    began = time.perf_counter()
    ways: dict[str, Any] = {"device": options.device, "start": start}
    checked = in_a_process(check, (options,), **ways, seconds=options.case_seconds)
    place = Place.model_validate(checked.pop("place")) if "place" in checked else None
    print(json.dumps(checked), flush=True)
    right = "error" not in checked and not checked["wrong"]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES if right or name == "full"}
    for repeat in range(options.repeats):
        for name, found in runs.items():
            left = options.seconds - (time.perf_counter() - began)
            if left <= 0:
                break
            limit = min(left, options.case_seconds)
            run = in_a_process(measure, (name, options, repeat == 0), **ways, seconds=limit)
            if "place" in run:
                place = Place.model_validate(run.pop("place"))
            found.append(run)
            shown = {key: value for key, value in run.items() if key != "kernels"}
            print(f"{time.perf_counter() - began:7.1f} {name} {json.dumps(shown)}", flush=True)
            if place:
                results = {"checked": checked, "summary": summary(runs), "runs": runs}
                write_result(options, results, place=place)
    print(json.dumps(summary(runs), indent=1))


if __name__ == "__main__":
    main()
