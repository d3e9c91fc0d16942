"""What a user sees of money and energy: training, tuning and predictions apart, and at which price."""

from pathlib import Path

import pytest
from written_comparison import METHODS, write_comparison

from showdown.core.record import Energy, Results
from showdown.report.notes import costs
from showdown.verdict.cost import own_price
from showdown.verdict.summary import judge


@pytest.fixture
def tuned(tmp_path: Path) -> Results:
    """LoRA was tuned for an hour, and the GPU's energy was read of all rows but TF-IDF."""
    results = write_comparison(tmp_path, gpu="NVIDIA H100 80GB HBM3")
    runs = []
    for run in results.runs:
        searched = (
            [run.phases[0].model_copy(update={"name": "tuning", "seconds": 3600.0})] if run.name == "lora" else []
        )
        energy = Energy(training=0.1, run=0.75 if searched else 0.25, tuning=0.5 if searched else None, scoring=0.05)
        runs.append(
            run.model_copy(
                update={
                    "phases": [*run.phases, *searched],
                    "energy_kwh": None if run.name == "tfidf" else energy,
                }
            )
        )
    return results.model_copy(update={"runs": runs})


def test_training_tuning_and_predictions_are_apart(tuned: Results, tmp_path: Path) -> None:
    money, predictions, energy = costs(tuned, judge(tuned, tmp_path, price=own_price(3.6)))
    assert money.startswith("Cost of one model, from the start of its process to the saved model: majority 0.0105; ")
    assert "; lora 0.012 and 3.6 for tuning; " in money
    assert money.endswith(" At 3.6 an hour (your own price).")
    assert predictions.startswith("Cost of 1,000 predictions at the best batch: majority 0.01; tfidf 0.02; ")
    assert energy == (
        "Energy of one model by the GPU's own counter, whoever used it: majority 0.2 kWh; full 0.2 kWh; lora 0.2 kWh "
        "and 0.5 kWh for tuning; qlora 0.2 kWh. Not priced."
    )


def test_an_example_price_has_its_day_and_energy_its_price(tuned: Results, tmp_path: Path) -> None:
    example = costs(tuned, judge(tuned, tmp_path))
    assert example[0].endswith(
        " At 3.99 an hour (RunPod Secure Cloud (SXM), read 2026-11-09), an example in US dollars."
    )
    priced = costs(tuned, judge(tuned, tmp_path, price=own_price(0.0, per_kwh=0.3)))
    assert "lora 0.06 and 0.15 for tuning" in priced[0]
    assert priced[0].endswith(
        " At 0 an hour (your own price, 0.3 a kWh). Energy of tfidf could not be read: it is not in its cost."
    )
    assert not priced[-1].endswith("Not priced.")


def test_nothing_is_said_of_what_is_not_known(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, gpu="Some GPU 9000", methods={"lora": METHODS["lora"]})
    assert costs(results, judge(results, tmp_path)) == [
        "No price is known for Some GPU 9000: give yours, --price-per-hour."
    ]
