"""Fits the forecast's coefficients and spreads on the cells of the calibration sets, and writes `fitted.json`.

    python -m benchmarks.lib.forecast_fit --processes 2 --out src/showdown/forecast/fitted.json

It reads the files of `CALIBRATION`, and no other: none of the proof. Each path (a GPU or a CPU; decoders that the
engine packs, or other modules) has its own coefficients, one for each kind of work. They minimise the squared
logarithms of forecast over measured seconds, and of each coefficient over what it is beforehand, so that a kind that no
cell tells apart keeps its value. Work is counted anew by the code as it is; what was measured is read from the files.

Ranges are what cells of one machine were off by where the coefficients were fitted on those of the other machines
alone, as a forecast is: they hold nine of ten of them.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.forecast_counted import Counted, counted
from benchmarks.lib.result import RESULTS
from showdown.forecast.fitted import HOST_KINDS

CALIBRATION = (
    "gpu/forecast-calibration.json", "gpu/forecast-calibration-more.json", "gpu/forecast-first-proof.json",
    "gpu/forecast-second-calibration.json", "gpu/forecast-second-proof.json", "cpu/forecast-calibration.json",
    "cpu/forecast-first-proof.json", "cpu/forecast-epyc.json",
)  # fmt: skip
"""Below `benchmarks/results`."""
_BEFORE = {
    "gpu packed": {
        "layers": 25.0, "norm launches": 5.0, "recomputed layers": 40.0, "adapter launches": 16.0,
        "dequantise launches": 16.0, "passes": 300.0, "replays": 20.0, "steps": 50.0, "tensors": 0.5,
        "single tensors": 0.5,
    },
    "gpu modules": {"recomputed layers": 100.0, "passes": 30.0, "steps": 30.0, "dequantise launches": 20.0},
    "cpu packed": {},
    "cpu modules": {},
}  # fmt: skip
"""What coefficients are beforehand, where it is not 1: operations that the host launches for one piece."""
_DATA_SPREAD = 0.05
_PRIOR_SPREAD = {True: 1.2, False: 0.35}
"""Of the logarithm of a coefficient: of launches, of which little is known, and of kernels whose rates are measured."""
_FAR = 3.0
"""Spreads from which on an error counts less."""
_OF_MEMORY = "forecast-epyc"
"""Of the files of a CPU the one that counts for memory: the others are of an older engine and PyTorch's CUDA build."""
_WITH_PLANS = "gpu modules"
"""Its cells that were not warm held cuDNN's plans as well, which are not made any more."""
_ENOUGH = 20
"""Cells from which on one of them may be an exception."""
_NARROWEST = {"time": 0.1, "memory": 0.04}
"""Of the logarithms of a range's ends: few cells of few machines show no less."""


def logarithms(cells: list[Counted], coefficients: dict[str, float]) -> list[float]:
    """Return the logarithm of forecast over measured seconds of each cell."""
    return [math.log(one.forecast_seconds(coefficients) / one.seconds) for one in cells if one.seconds]


def fitted(path: str, cells: list[Counted]) -> dict[str, float]:
    """Return the coefficients of one path (Levenberg and Marquardt's method, on their logarithms)."""
    kinds = sorted({kind for cell in cells for step in cell.work for kind in step})
    before = np.array([math.log(_BEFORE[path].get(kind, 1.0)) for kind in kinds])
    spreads = np.array([_PRIOR_SPREAD[kind in HOST_KINDS] for kind in kinds])

    def errors(logs: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        found = np.array(logarithms(cells, dict(zip(kinds, np.exp(logs), strict=True)))) / _DATA_SPREAD
        # An error beyond some spreads counts in proportion to itself, not to its square (Huber 1964).
        pulled = np.sign(found) * np.sqrt(np.where(np.abs(found) < _FAR, found**2, _FAR * (2 * np.abs(found) - _FAR)))
        return np.concatenate([pulled, (logs - before) / spreads])

    logs, damping = before.copy(), 1.0
    now = errors(logs)
    for _ in range(60):
        slopes = np.stack([(errors(logs + step) - now) / 1e-4 for step in np.eye(len(logs)) * 1e-4], axis=1)
        move = np.linalg.solve(slopes.T @ slopes + damping * np.eye(len(logs)), -slopes.T @ now)
        tried = errors(logs + move)
        if tried @ tried < now @ now:
            logs, now, damping = logs + move, tried, damping / 3
        else:
            damping *= 4
    return {kind: float(f"{value:.4g}") for kind, value in zip(kinds, np.exp(logs), strict=True)}


def between(errors: list[float], narrowest: float) -> list[float]:
    """Return between which multiples of a forecast nine of ten measurements lie.

    The ends are the order statistics that hold 95 % to either side in a sample of this size, and no nearer than
    `narrowest`; the larger of both ends stands for both where fewer than 20 cells are known.
    """
    found = sorted(-error for error in errors)  # of measured over forecast
    outside = int(0.05 * (len(found) + 1))
    low, high = (found[outside - 1], found[-outside]) if outside else (found[0], found[-1])
    if not outside:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    return [round(math.exp(min(low, -narrowest)), 3), round(math.exp(max(high, narrowest)), 3)]


def without_farthest(errors: list[float]) -> list[float]:
    """Return all errors but the largest, where many are known: a machine may stand still for a moment."""
    return sorted(errors, key=abs)[:-1] if len(errors) > _ENOUGH else errors


def memory_errors(cells: list[Counted]) -> list[float]:
    """Return the logarithms of forecast over measured peaks, a process's libraries left aside."""
    return [math.log(one.counted_gb / (one.peak_gb - one.process_gb)) for one in cells if one.peak_gb]


def time_errors(path: str, cells: list[Counted]) -> list[float]:
    """Return the logarithms of forecast over measured seconds, by coefficients fitted on other machines' cells.

    Where one machine alone was measured, each cell is forecast by the others, but for those that have a kind of work
    of their own.
    """
    machines = {one.machine for one in cells}
    found = []
    for left_out in sorted(machines if len(machines) > 1 else {one.cell for one in cells}):
        others = [one for one in cells if left_out not in (one.machine, one.cell)]
        known = set().union(*(one.work[0] for one in others))
        some = [one for one in cells if left_out in (one.machine, one.cell) and known >= one.work[0].keys()]
        found += logarithms(some, fitted(path, others)) if some else []
    return found


def main() -> None:
    """Fit on result files and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    cells = [one for one in counted([RESULTS / name for name in CALIBRATION], options.processes) if one.seconds]
    found: dict[str, Any] = {"coefficients": {}, "time_spread": {}, "memory_spread": {}}
    for path in sorted({one.path for one in cells}):
        warm = [one for one in cells if one.path == path and one.warm]
        found["coefficients"][path] = fitted(path, warm)
        found["time_spread"][path] = between(without_farthest(time_errors(path, warm)), _NARROWEST["time"])
        times = logarithms(warm, found["coefficients"][path])
        for one, time in zip(warm, times, strict=True):
            print(f"{one.machine} {one.cell}: {one.seconds * 1e3:.1f} ms {math.expm1(time):+.1%}")
    for path in sorted({one.memory_path for one in cells}):
        some = [one for one in cells if one.memory_path == path and (one.warm or path != _WITH_PLANS)]
        some = [one for one in some if path.startswith("gpu") or one.machine == _OF_MEMORY]
        found["memory_spread"][path] = between(memory_errors(some), _NARROWEST["memory"])
        for one, peak in zip(some, memory_errors(some), strict=True):
            print(f"{one.machine} {one.cell}: {one.peak_gb:.3f} GB {math.expm1(peak):+.1%}")
    print(json.dumps(found))
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
