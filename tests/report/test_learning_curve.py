"""The learning curve's table and its sentence."""

from showdown.core.record import Results, RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.lora import Lora
from showdown.report.learning_curve import LearningCurve, learning_curve


def run(
    name: str, fraction: float, right: int, *, seed: int = 0, partition: int = 0, failed: bool = False
) -> RunRecord:
    """A run that tested 20 rows."""
    spec = RunSpec(
        name=name,
        method="lora",
        settings={},
        model=ModelSpec(),
        protocol=SharedProtocol.model_validate({"split": {"kind": "kfold"}}),
        seed=seed,
        partition=partition,
        train_fraction=fraction,
        data_fingerprint="0",
    )
    return RunRecord(
        run_id=spec.run_id,
        name=name,
        method="lora",
        title="LoRA",
        traits=Lora.traits,
        seed=seed,
        partition=partition,
        status="failed" if failed else "completed",
        error="no" if failed else None,
        accuracy=right / 20,
        labels=["a", "b"],
        confusion_matrix=[[right, 20 - right], [0, 0]],
        train_rows=round(80 * fraction),
        spec=spec,
    )


def curve_of(*runs: RunRecord) -> LearningCurve | None:
    return learning_curve(Results(name="x", comparison={}, data={}, runs=list(runs)))


def test_accuracy_by_fraction_over_folds_and_seeds() -> None:
    runs = [
        run("lora", 1.0, right, seed=seed, partition=fold) for seed, fold, right in ((0, 0, 20), (0, 1, 16), (1, 0, 18))
    ]
    runs += [
        run("lora", 0.25, 10),
        run("lora", 0.5, 14),
        run("full", 1.0, 12),
        run("full", 0.5, 11),
        run("zero", 1.0, 9),
    ]
    found = curve_of(*runs)
    assert found is not None
    assert found.headings == ["Method", "25 % (20 rows)", "50 % (40 rows)", "100 % (80 rows)"]
    assert found.rows == [["lora", "50.0", "70.0", "90.0"], ["full", "-", "55.0", "60.0"], ["zero", "-", "-", "45.0"]]
    assert found.sentence.startswith("lora gains most from 50 to 100 % of the training rows: 20.0 points of accuracy")


def test_no_gain_and_no_curve_are_said() -> None:
    flat = curve_of(run("lora", 1.0, 12), run("lora", 0.5, 12))
    assert flat is not None
    assert flat.sentence.startswith("No method gains accuracy from 50 to 100 %")
    apart = curve_of(run("lora", 1.0, 12), run("full", 0.5, 12))
    assert apart is not None
    assert apart.sentence.startswith("No method completed both ends")
    assert curve_of(run("lora", 1.0, 12)) is None
    assert curve_of(run("lora", 1.0, 12), run("lora", 0.5, 12, failed=True)) is None
