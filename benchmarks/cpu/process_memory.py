"""Peak memory of each process of a comparison: its own, preparation, slower audit, fork server, and a worker.

    python -m benchmarks.cpu.process_memory comparisons/quickstart.yaml [--set KEY=VALUE ...]

Peaks are in MB (1e6 bytes) while `showdown run` goes, read every 0.1 s from /proc (Linux): the resident set of each
kind of process, and its proportional set (`Pss`, in which a page that n processes share counts as 1/n); and the largest
sum of the proportional sets, which is what a control group is charged apart from files in memory. The first process
that touches a page of a library is charged for it, so that short runs on an idle machine vary by some MB.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.lib.result import argument_parser, write_result

EVERY_SECONDS = 0.1
MB = 1e6


def kind_of(process: psutil.Process, comparison: int) -> str:
    """Return which of a comparison's processes this one is."""
    if process.pid == comparison:
        return "comparison"
    serves = "showdown.runner.worker.fork_server" in process.cmdline()
    if process.ppid() == comparison:
        return "server" if serves else "preparation"
    return "worker" if serves else "audit"


def proportional_mb(pid: int) -> float:
    """Return the proportional set of a process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Pss:"))


def follow(comparison: "subprocess.Popen[bytes]") -> dict[str, tuple[float, float]]:
    """Return the largest resident set and proportional set of each kind of process, in MB."""
    peaks: dict[str, tuple[float, float]] = {}
    own = psutil.Process(comparison.pid)
    while comparison.poll() is None:
        together = 0.0
        for process in [own, *own.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, OSError, StopIteration):
                kind = kind_of(process, comparison.pid)
                now = (process.memory_info().rss / MB, proportional_mb(process.pid))
                together += now[1]
                before = peaks.get(kind, (0.0, 0.0))
                peaks[kind] = (max(before[0], now[0]), max(before[1], now[1]))
        peaks["together"] = (0.0, max(peaks.get("together", (0.0, 0.0))[1], together))
        time.sleep(EVERY_SECONDS)
    return peaks


def main() -> None:
    """Run the comparison, print and write the peaks of its processes."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("comparison", help="YAML file; other options go to `showdown run`")
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-P",
            "-m",
            "showdown",
            "run",
            options.comparison,
            *rest,
            "--output",
            f"{folder}/out",
        ]
        comparison = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peaks = follow(comparison)
    print("process      resident MB  own share MB")
    for kind, (resident, proportional) in peaks.items():
        print(f"{kind:<12} {resident:11.0f} {proportional:13.0f}")
    peak_mb = {kind: {"resident": resident, "proportional": pss} for kind, (resident, pss) in peaks.items()}
    write_result(options, {"peak_mb": peak_mb, "exit_code": comparison.returncode})
    raise SystemExit(comparison.returncode)


if __name__ == "__main__":
    main()
