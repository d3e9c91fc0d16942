"""What is fitted: coefficients of each kind of work, the spread of a forecast, and what a process takes beside tensors.

`benchmarks/gpu/forecast.py --fit` and `benchmarks/cpu/forecast.py --fit` make them from trainings of their calibration
sets alone; no cell of the proof is among them (`docs/forecast.md`).
"""

HOST_KINDS = frozenset({"layers", "adapter launches", "opaque launches", "passes"})
"""Work of the host of a GPU, which goes on beside that of the GPU."""
COEFFICIENTS: dict[str, dict[str, float]] = {
    "gpu packed": {"layers": 60.0, "adapter launches": 20.0, "passes": 200.0, "replays": 20.0, "steps": 100.0},
    "gpu modules": {"layers": 1.0, "steps": 100.0},
    "cpu packed": {"layers": 60.0},
    "cpu modules": {},
}
"""By path and kind of work; 1 where none is named. Kinds that count launches have the launches of one piece here."""
TIME_SPREAD: dict[str, tuple[float, float]] = {
    "gpu packed": (0.75, 1.35),
    "gpu modules": (0.7, 1.5),
    "cpu packed": (0.6, 1.7),
    "cpu modules": (0.6, 1.7),
}
"""Times the expected seconds: the low and the high end."""
MEMORY_SPREAD: dict[str, tuple[float, float]] = {
    "gpu packed": (0.93, 1.07),
    "gpu modules": (0.85, 1.15),
    "cpu packed": (0.8, 1.25),
    "cpu modules": (0.8, 1.25),
}
EPOCHS = (7, 14, 30)
"""Epochs of a training that ends by itself: of ten such trainings one had fewer than the first, one more than the last
(`docs/forecast.md`)."""
PROCESS_GB = 0.43
"""Resident set of a process on a CPU before any network."""
WORKSPACE_GB = 0.04
"""Of the matrix library on a GPU, allocated as a tensor is."""
