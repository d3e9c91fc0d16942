"""Two LoRA runs of a tiny network on two GPUs of one machine, by Ray and by the local executor: the numbers must agree.

    python -m benchmarks.gpu.ray_gpus --data ../shared/data/resumes.csv --out benchmarks/results

Ray and what the machine lacks come in two archives (`benchmarks.lib.offline_packages`). Training is deterministic.
Seconds are recorded, but say little: Ray starts its own processes, and imports the libraries in each.

To try it out on a CPU: `CUDA_VISIBLE_DEVICES=0,1 python -m benchmarks.gpu.ray_gpus --data FILE --rows 460`.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.spread import Case, compared, make_checkpoint, watch
from benchmarks.gpu.study import TINY
from benchmarks.lib.result import argument_parser, write_result

EXECUTORS = ("local", "ray")


def main() -> None:
    """Run the comparison by each executor, and write what was recorded."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="the study's CSV file")
    parser.add_argument("--gpus", default="0,1", help="with commas")
    parser.add_argument("--rows", type=int, default=560, help="of the data")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/ray_gpus"), help="of checkpoint and comparisons")
    parser.add_argument("--seconds", type=float, default=120.0, help="stop what is left after so many seconds")
    options = parser.parse_args()
    import torch

    deadline = time.perf_counter() + options.seconds
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = make_checkpoint(options, TINY, device)
    threads = max(1, (os.cpu_count() or 1) // len(options.gpus.split(",")))
    result: dict[str, Any] = {"shape": TINY, "rows": options.rows, "gpus_seen": torch.cuda.device_count()}
    cases: list[Case] = []

    def write() -> None:
        result["cases"] = compared([case.found() for case in cases])
        write_result(options, result, device=device)

    for executor in EXECUTORS:
        cases.append(
            Case(
                options, model, options.gpus, seeds=options.runs, rows=options.rows, threads=threads, executor=executor
            )
        )
        watch(cases[-1:], deadline, write)
        write()
    print(json.dumps([{key: value for key, value in case.items() if key != "runs"} for case in result["cases"]]))


if __name__ == "__main__":
    main()
