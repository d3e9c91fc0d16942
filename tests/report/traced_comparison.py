"""A finished comparison with curves, samples and a memory split beside its records, as a run leaves them."""

import json
import math
from pathlib import Path
from typing import Any

from report.written_comparison import write_comparison
from showdown.core.record import MemorySplit, Results, RunRecord

STEPS = 90
EPOCHS = 3
SAMPLES = 60
_PHASES = ("start", "loading", "training", "validation", "training", "validation", "saving", "prediction")


def write_traced(folder: Path, *, gpu: str | None = None, **given: Any) -> Results:
    """Write a comparison whose fine-tuned rows have curves, and all of whose completed runs were sampled."""
    results = write_comparison(folder, gpu=gpu, **given)
    runs = [_traced(folder, run, place, gpu) for place, run in enumerate(results.runs)]
    traced = results.model_copy(update={"runs": runs})
    (folder / "results.json").write_text(traced.model_dump_json(), encoding="utf-8")
    return traced


def _traced(folder: Path, run: RunRecord, place: int, gpu: str | None) -> RunRecord:
    if run.status != "completed":
        return run
    home = folder / "runs" / run.run_id
    home.mkdir()
    lines = [json.dumps(_sample(turn, place, gpu)) for turn in range(SAMPLES)]
    torn = lines[-1][: len(lines[-1]) // 2]
    (home / "system.jsonl").write_text("\n".join([*lines, torn]), encoding="utf-8")
    update: dict[str, Any] = {"system_file": f"runs/{run.run_id}/system.jsonl"}
    if run.method in ("full", "lora", "qlora", "dora"):
        (home / "curve.json").write_text(json.dumps(_curve(place)), encoding="utf-8")
        update["curve_file"] = f"runs/{run.run_id}/curve.json"
        update["memory_split"] = MemorySplit(
            weights_gb=0.4 + 0.1 * place,
            gradients_gb=0.2,
            optimiser_gb=0.5,
            libraries_gb=0.0 if gpu else 0.3,
            activations_gb=0.25 * place,
        )
    return run.model_copy(update=update)


def _curve(place: int) -> dict[str, Any]:
    steps = list(range(1, STEPS + 1))
    loss = [3.0 * math.exp(-step / (40 + 10 * place)) + 0.1 * math.sin(step * (place + 1)) + 0.3 for step in steps]
    return {
        "training": {"step": steps, "loss": loss, "learning_rate": [1e-4] * STEPS, "gradient_norm": [1.0] * STEPS},
        "validation": [
            {"epoch": epoch, "step": 30 * epoch, "f1_macro": 0.2 + 0.2 * epoch - 0.02 * place, "loss": 2.0 / epoch}
            for epoch in range(1, EPOCHS + 1)
        ],
    }


def _sample(turn: int, place: int, gpu: str | None) -> dict[str, Any]:
    return {
        "seconds": round(turn * (0.5 + 0.2 * place), 3),
        "phase": _PHASES[turn * len(_PHASES) // SAMPLES],
        "cpu_percent": 90.0 + 10 * math.sin(turn),
        "ram_gb": 0.4 + 0.1 * place + 0.004 * turn,
        "gpu_utilisation_percent": 80.0 + 15 * math.cos(turn) if gpu else None,
        "gpu_memory_gb": 5.0 + place + 2 * math.sin(turn / 9) if gpu else None,
        "gpu_power_watts": 500.0 + 90 * math.sin(turn / 4) if gpu else None,
        "gpu_temperature_c": 50.0 + turn / 6 if gpu else None,
        "gpu_energy_joules": 500.0 * turn if gpu else None,
    }
