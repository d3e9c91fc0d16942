"""What is fitted: coefficients of each kind of work, and the spread of a forecast.

`python -m benchmarks.lib.forecast_fit` makes `fitted.json` from trainings of the calibration sets alone; no cell of the
proof is among them (`docs/forecast.md`).
"""

import json
from importlib.resources import files
from typing import Any

_READ: dict[str, Any] = json.loads((files("showdown.forecast") / "fitted.json").read_bytes())
HOST_KINDS = frozenset(
    {
        "layers", "norm launches", "adapter launches", "opaque launches", "dequantise launches", "recomputed layers",
        "passes", "replays", "tensors", "single tensors", "steps",
    }
)  # fmt: skip
"""Work of the host of a GPU, which goes on beside that of the GPU."""
COEFFICIENTS: dict[str, dict[str, float]] = _READ["coefficients"]
"""By path and kind of work; 1 where none is named. Kinds that count launches have the launches of one piece here."""
TIME_SPREAD: dict[str, tuple[float, float]] = {path: (low, high) for path, (low, high) in _READ["time_spread"].items()}
"""By path: times the expected seconds, the low and the high end."""
MEMORY_SPREAD: dict[str, tuple[float, float]] = {
    path: (low, high) for path, (low, high) in _READ["memory_spread"].items()
}
"""The same of memory."""
OVERLAP = 4.0
"""Host and GPU work beside each other: a step takes this norm of both, a little more than the longer of the two."""
EPOCHS = (6, 17, 42)
"""Epochs of a training that ends by itself: the first decile, the mean and the last decile of 24 at default rates
(`benchmarks/results/statistics/learning_rates.json`, multiple 1.0, not cut)."""
WORKSPACE_GB = 0.07
"""Of the matrix library on a GPU, allocated as a tensor is."""
GRAPH_GB = 0.08
"""The same of the stream that CUDA graphs are captured on, and their inputs."""
PASSING_TENSORS = 2.0
"""Tensors of the size of the largest activation that come and go in a backward pass that is not the engine's."""
CALLED_PASSING_TENSORS = 4.0
"""The same of the engine's pass around layers of PEFT's, with what these make anew in their backward pass."""
CPU_ALLOCATOR = 1.15
"""Times what is counted: memory that a CPU's allocator holds between pieces in use."""
CPU_ADAPTERS = 1.2
"""The same again of what is kept, for decoders with adapters that the engine computes on a CPU."""
CPU_BFLOAT16_GB = 0.9
"""Of oneDNN's products in bfloat16, of which PyTorch keeps a thousand for later use, one for each number of tokens and
each weight: 0.7 GB after 20 steps on a Xeon, 1.0 after 50 on an EPYC (`docs/forecast.md`)."""
CPU_FLOAT32_GB = 0.16
"""The same in float32: the median of 13 trainings on an EPYC (`benchmarks/results/cpu/forecast-epyc.json`), less 0.11
GB of scikit-learn and pandas, which these imported after their memory was first read."""
