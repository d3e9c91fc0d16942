"""What torch's allocator reserves beyond what is allocated where each step is longer than all before, a process a case.

Run `python benchmarks/gpu_reserved.py --out FILE`: each method in its fast mode, as it is and with the expected peak
taken in one piece beforehand, as the product does.
"""

import argparse
import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


def measured(method: str, peak_gb: float | None, options: argparse.Namespace) -> dict[str, Any]:
    """Peaks of half an epoch, and seconds."""
    import gpu_engine
    from gpu_meter import Meter
    from gpu_workload import EFFECTIVE_ROWS, FULL_SHAPE, TINY_SHAPE, steps_of, training_rows

    from showdown.engine.steady import reserve_ahead, steady_process

    rows = training_rows((TINY_SHAPE if options.tiny else FULL_SHAPE)["vocab_size"])
    training = gpu_engine.Training(
        method, rows, tiny=options.tiny, device=options.device, dropout=0.1,
        settings={"micro_rows": EFFECTIVE_ROWS[method]},
    )  # fmt: skip
    if peak_gb is not None and options.device == "cuda":
        reserve_ahead(peak_gb)
    meter = Meter(device=options.device)
    steps = steps_of(method, rows, every=2, at_most=None)
    meter.begin()
    with steady_process():
        for batch in sorted(steps, key=lambda step: sum(rows.lengths[row] for row in step)):
            training.step(batch)
    meter.end()
    return {"seconds": meter.seconds, **meter.memory()}


def _child(arguments: tuple[str, float | None, argparse.Namespace]) -> dict[str, Any]:
    return measured(*arguments)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for method in ("lora", "full"):
        peak_gb = None
        for name in (f"{method}, as it is", f"{method}, reserved ahead"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found[name] = pool.map(_child, [(method, peak_gb, options)])[0]
            peak_gb = 1.02 * float(found[name]["peak_allocated_gb"])
            print(name, json.dumps(found[name]), flush=True)
            options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
