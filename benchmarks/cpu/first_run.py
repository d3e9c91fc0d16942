"""Seconds from the command `showdown run` to its first run, by two versions of Showdown in turns.

    python -m benchmarks.cpu.first_run --before ../older/src --data ../shared/data/resumes.csv

Both carry out the same comparison on the study's rows with a tiny decoder of random weights, and are stopped
when the first run loads its network. The seconds are those at which a line is shown: the first one (rows are
read, divided and checked), the number of runs (the forecast and the slower audit are there), the start of a run, and
its first stage in a worker (which has its libraries). Processor seconds are those of all processes of a turn. The data
folders that both wrote, with the audit and the rows, are compared byte by byte.
"""

import argparse
import hashlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.study import TINY, texts_of, write_checkpoint, write_tokenizer
from benchmarks.lib.result import ROOT, argument_parser, write_result

MARKS = {"first_line": "", "number_of_runs": "runs to do", "start": ": starting", "first_stage": ": loading"}
"""What the line of each moment contains, in their order."""
SETTINGS = (
    "data.allow_leakage=true", "protocol.epochs=1", "protocol.patience_epochs=null", "protocol.tuning=null",
    "seeds=[0, 1]", "methods={lora: {}}",
)  # fmt: skip


def turn(source: Path, model: Path, output: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Begin a comparison with one version, stop it at its first stage, and return what was seen."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])}
    settings = [*SETTINGS, f"model.id={model}", f"data.limit={options.rows}"]
    command = [sys.executable, "-P", "-u", "-m", "showdown", "run", str(options.data), "--output", str(output)]
    command += [part for setting in settings for part in ("--set", setting)]
    began, seconds, said = time.perf_counter(), {}, []
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        for mark, part in MARKS.items():
            if part in line:
                seconds.setdefault(mark, round(time.perf_counter() - began, 3))
        if len(seconds) == len(MARKS):
            process.send_signal(signal.SIGTERM)
            break
    process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    if len(seconds) < len(MARKS):
        raise SystemExit(f"{source}: no run was started\n{''.join(said)[-2000:]}")
    return {**seconds, "processor": round(used.ru_utime + used.ru_stime, 3), "data": digest(output / "data")}


def digest(folder: Path) -> str:
    """Return a SHA-256 over the names and bytes of a folder's files."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def main() -> None:
    """Measure the turns and write them."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--before", type=Path, required=True, help="`src` folder of the older version")
    parser.add_argument("--after", type=Path, default=ROOT / "src", help="`src` folder of the newer version")
    parser.add_argument("--data", type=Path, required=True, help="the study's CSV file")
    parser.add_argument("--rows", type=int, default=962, help="of the data")
    parser.add_argument("--turns", type=int, default=3, help="of each version")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of this machine, for the result file")
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        model.mkdir()
        write_tokenizer(model, texts_of(options.data), TINY["vocab_size"])
        write_checkpoint(model, TINY, "cpu")
        turn(options.before.resolve(), model, Path(place) / "warm-up", options)  # fills the cache of files
        for number in range(options.turns):
            for side in ("before", "after") if number % 2 == 0 else ("after", "before"):
                source = getattr(options, side).resolve()
                found[side].append(turn(source, model, Path(place) / f"{side}-{number}", options))
                print(side, number, {key: found[side][-1][key] for key in (*MARKS, "processor")}, flush=True)
    seconds = {
        key: {
            **{side: [one[key] for one in found[side]] for side in found},
            "ratio_of_medians": round(
                statistics.median(one[key] for one in found["after"])
                / statistics.median(one[key] for one in found["before"]),
                3,
            ),
        }
        for key in (*MARKS, "processor")
    }
    same = len({one["data"] for side in found.values() for one in side}) == 1
    for key, one in seconds.items():
        print(f"{key}: {one['ratio_of_medians']} of before")
    print(f"same data folders: {same}")
    write_result(options, {"seconds": seconds, "same_data_folders": same, "rows": options.rows}, device=options.device)


if __name__ == "__main__":
    main()
