"""What the report says of a search for learning rates."""

from typing import Any

from showdown.core.record import RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.lora import Lora
from showdown.report.notes import tuning


def run(seed: int, rate: float | None, **settings: Any) -> RunRecord:
    spec = RunSpec(
        name="lora",
        method="lora",
        settings=settings,
        model=ModelSpec(),
        protocol=SharedProtocol.model_validate({"tuning": {"trials": 6}}),
        seed=seed,
        data_fingerprint="0",
    )
    return RunRecord(
        run_id=spec.run_id,
        name="lora",
        method="lora",
        title="LoRA",
        traits=Lora.traits,
        seed=seed,
        partition=0,
        status="completed",
        accuracy=1.0,
        spec=spec,
        tuning_seconds=None if rate is None else 10.4,
        chosen={} if rate is None else {"learning_rate": rate},
    )


def test_rates_trials_and_time_of_all_runs_are_said() -> None:
    (line,) = tuning([run(0, 1e-3), run(1, 2e-4)])
    assert "learning_rate 0.0002 to 0.001; 6 trials for each of 2 runs took 21 s in all" in line
    (line,) = tuning([run(0, 1e-3)])
    assert "learning_rate 0.001; 6 trials for each of 1 run took" in line
    assert tuning([run(0, None)]) == []
