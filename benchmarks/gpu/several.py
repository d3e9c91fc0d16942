"""One network trained by several GPUs together, beside one GPU and beside the recipe with FSDP, in one call.

    python -m benchmarks.gpu.several --out benchmarks/results

The product's training loop trains classifiers with random weights, of the 7B shape and of a 13B shape, on rows of the
study's lengths. Each case runs in processes of its own, one for each GPU. Rates are over the steps after the warm-up;
`rate_over_one` compares with the case on one GPU at the same effective batch. The losses of all steps are kept. The
recipe is transformers' Trainer with `fsdp: full_shard auto_wrap` of accelerate, bfloat16 weights and activation
checkpointing, as in the study.

To try it out on a CPU: `python -m benchmarks.gpu.several --tiny`.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.several import WARMUP_STEPS, Case, train, train_recipe


def _cases() -> list[Case]:
    one = Case(name="full-1", method="full", processes=1, effective_rows=32, micro_rows=8, steps=50)
    two = replace(one, processes=2, reference="full-1")
    lora = Case(name="lora-1", method="lora", processes=1, effective_rows=32, micro_rows=16, steps=50)
    large = replace(two, effective_rows=16, steps=12, large=True, divided=True, recompute=True, reference=None)
    return [
        one,
        replace(two, name="full-2", micro_rows=16),
        lora,
        replace(lora, name="lora-2", processes=2, reference="lora-1"),
        replace(large, name="13b-full-2"),
        replace(two, name="recipe-full-2", micro_rows=4, steps=8, recipe=True),
        replace(one, name="full-1-again", reference="full-1"),
        replace(one, name="full-4", processes=4, reference="full-1"),
        replace(lora, name="lora-4", processes=4, micro_rows=8, reference="lora-1"),
        replace(two, name="full-2-divided", micro_rows=16, steps=20, divided=True),
        replace(large, name="recipe-13b-full-2", micro_rows=4, steps=6, recipe=True, divided=False, recompute=False),
        replace(lora, name="lora-2-divided", processes=2, steps=20, divided=True, reference="lora-1"),
        replace(one, name="full-1-rows-8", effective_rows=8, steps=20),
        replace(two, name="full-2-rows-8", effective_rows=8, steps=20, reference="full-1-rows-8"),
        replace(large, name="13b-full-1", processes=1, micro_rows=1, steps=4, divided=False),
    ]


def in_processes(case: Case, *, tiny: bool, seconds: float) -> dict[str, Any]:
    """Run a case in a process for each GPU, and return what the first one found, with the largest peaks of all."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        own = os.environ.get("CUDA_VISIBLE_DEVICES", "0,1,2,3").split(",")
        running = []
        for rank in range(case.processes):
            environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "TOKENIZERS_PARALLELISM": "false"}
            if case.recipe:
                environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(case.processes),
                                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
            else:
                environment["CUDA_VISIBLE_DEVICES"] = own[rank] if rank < len(own) else own[0]
            command = [sys.executable, "-m", "benchmarks.gpu.several", "--inside", json.dumps(
                [case.name, rank, str(Path(folder) / "meeting"), str(Path(folder) / f"{rank}.json"), tiny]
            )]  # fmt: skip
            running.append(subprocess.Popen(command, env=environment, start_new_session=True))
        until = time.monotonic() + seconds
        while any(one.poll() is None for one in running):
            if time.monotonic() > until or any(one.poll() for one in running):
                time.sleep(2.0)  # for what others have to say
                for one in running:
                    if one.poll() is None:
                        os.killpg(one.pid, signal.SIGKILL)
                break
            time.sleep(0.2)
        for one in running:
            one.wait()
        found = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
    errors = [one["error"] for one in found if "error" in one]
    if errors or len(found) < case.processes:
        return {"error": errors[0] if errors else "no result: ended, or out of time"}
    peaks = {key: max(one[key] for one in found) for key in ("peak_allocated_gb", "peak_reserved_gb", "device_gb")}
    return found[0] | peaks


def _inside(given: str) -> None:
    """Be one process of a case."""
    name, rank, meeting, result, tiny = json.loads(given)
    case = next(one for one in _cases() if one.name == name)
    try:
        found = train_recipe(case, rank, tiny=tiny) if case.recipe else train(case, rank, Path(meeting), tiny=tiny)
    except BaseException as error:
        traceback.print_exc()
        found = {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"}
    Path(result).write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit("error" in found)


def main() -> None:
    """Run the cases one after the other, and write each result at once."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cases", default="*", help="names with wildcards, by commas")
    parser.add_argument("--tiny", action="store_true", help="tiny networks, to try the benchmark out")
    parser.add_argument("--seconds", type=float, default=500.0, help="begin no case after so many seconds")
    parser.add_argument("--case-seconds", type=float, default=90.0, help="end a case after so many seconds")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _inside(options.inside)
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    began, cases = time.monotonic(), {}
    for case in _cases():
        if not any(fnmatch(case.name, pattern) for pattern in options.cases.split(",")):
            continue
        if time.monotonic() - began > options.seconds:
            print(f"no time for {case.name}", flush=True)
            continue
        found = in_processes(case, tiny=options.tiny, seconds=options.case_seconds)
        reference = cases.get(case.reference, {})
        if "tokens_per_second" in found and "tokens_per_second" in reference:
            found["rate_over_one"] = found["tokens_per_second"] / reference["tokens_per_second"]
            pairs = list(zip(found["losses"], reference["losses"], strict=False))
            found["largest_difference_of_a_loss"] = max((abs(a - b) for a, b in pairs), default=None)
            found["mean_difference_of_a_loss"] = sum(abs(a - b) for a, b in pairs) / len(pairs) if pairs else None
        cases[case.name] = {**{key: value for key, value in vars(case).items() if key != "name"}, **found}
        shown = {key: value for key, value in found.items() if key != "losses"}
        print(f"{time.monotonic() - began:.0f} s {case.name}: {json.dumps(shown)}", flush=True)
        write_result(options, {"warmup_steps": WARMUP_STEPS, "cases": cases}, device=device)


if __name__ == "__main__":
    main()
