import pytest

from showdown.core.memory import MemorySettings
from showdown.core.prices import money
from showdown.core.record import Energy
from showdown.verdict.confounds import between, confounds
from showdown.verdict.cost import cost_of, energy_of_runs, own_price, price_of


def test_cost_by_hand(built):
    # 8 s of loading and 10 s of training are charged, 5 s of prediction are not.
    built.run("lora", [0], [0])
    cost = cost_of(built.runs, own_price(3.6))
    assert cost.training == pytest.approx(0.018)
    assert cost.tuning == 0.0
    assert cost.per_thousand_predictions == pytest.approx(0.01)
    assert cost.price.source == "your own price"
    assert cost.model == pytest.approx(0.018)


def test_hours_of_all_gpus_that_train_a_run_together_are_paid(built):
    built.run("lora", [0], [0])
    one = cost_of(built.runs, own_price(3.6))
    memory = MemorySettings(micro_batch_rows=1, recompute=False, devices=4)
    several = [run.model_copy(update={"spec": run.spec.model_copy(update={"memory": memory})}) for run in built.runs]
    four = cost_of(several, own_price(3.6))
    assert four.training == pytest.approx(4 * one.training)
    assert four.per_thousand_predictions == one.per_thousand_predictions  # which one GPU makes


def test_tuning_is_apart_and_runs_are_averaged(built):
    tuned = built.run
    tuned("lora", [0], [0])
    first = built.runs[0]
    searched = first.phases[0].model_copy(update={"name": "tuning", "seconds": 100.0})
    second = first.model_copy(update={"phases": [*first.phases, searched]})
    cost = cost_of([first, second], own_price(3600.0))
    assert cost.tuning == pytest.approx(50.0)
    assert cost.training == pytest.approx(18.0)


def test_energy_is_apart_and_costs_what_its_user_says(built):
    for energy in (Energy(training=0.5, run=1.0, tuning=0.0, scoring=0.2), Energy(training=2.0, run=6.0, tuning=3.0)):
        built.run("lora", [0], [0], energy_kwh=energy)
    used = energy_of_runs(built.runs)
    # From the start to the saved model: 0.8 and 3.0 kWh, and 0 and 3.0 of tuning.
    assert (used.training, used.tuning) == pytest.approx((1.9, 1.5))
    without, with_energy = (cost_of(built.runs, own_price(3.6, per_kwh=price)) for price in (0.0, 0.3))
    assert with_energy.training == pytest.approx(without.training + 1.9 * 0.3)
    assert with_energy.tuning == pytest.approx(1.5 * 0.3)
    assert with_energy.per_thousand_predictions == without.per_thousand_predictions
    assert with_energy.price.source == "your own price, 0.3 a kWh"


def test_energy_that_was_not_read_of_every_run_is_unknown(built):
    built.run("lora", [0], [0], energy_kwh=Energy(training=0.5, run=1.0))
    built.run("lora", [0], [0], seed=1)
    assert energy_of_runs(built.runs) is None
    assert energy_of_runs([]) is None
    assert cost_of(built.runs, own_price(3.6, per_kwh=0.3)).training == pytest.approx(0.018)


@pytest.mark.parametrize(
    ("gpu", "per_hour"),
    [("NVIDIA H100 80GB HBM3", 3.99), ("NVIDIA H100 PCIe", 2.89), ("NVIDIA H200", 4.59), (None, 0.085)],
)
def test_example_prices_by_device(built, environment, gpu, per_hour):
    built.run("lora", [0], [0], environment=environment(gpu))
    assert price_of(built.runs[0]).per_hour == pytest.approx(per_hour)


@pytest.mark.parametrize("gpu", ["NVIDIA RTX A1000 Laptop GPU", "NVIDIA GH200 480GB", "NVIDIA GB200"])
def test_a_name_within_another_gpus_name_is_no_price(built, environment, gpu):
    built.run("lora", [0], [0], environment=environment(gpu))
    assert price_of(built.runs[0]) is None


def test_the_same_gpu_in_another_case_has_its_price(built, environment):
    built.run("lora", [0], [0], environment=environment("nvidia a100-sxm4-80gb"))
    assert price_of(built.runs[0]).per_hour == 1.79


def test_an_unknown_device_has_no_price_but_takes_the_users(built, environment):
    built.run("lora", [0], [0], environment=environment("Some GPU 9000"))
    assert cost_of(built.runs, None) is None
    assert cost_of(built.runs, own_price(1.0)) is not None
    assert cost_of([], own_price(1.0)) is None


def test_rows_alike_have_no_confound(built):
    built.run("lora", [0], [0], settings={"rank": 8}, chosen={"epoch": 1})
    built.run("full", [0], [0], settings={"decay": 0.1}, chosen={"epoch": 3})
    assert confounds({run.name: [run] for run in built.runs}) == []


def test_everything_that_differs_is_found(built, environment):
    other = environment("NVIDIA A100").model_copy(update={"versions": {"torch": "2.11.0"}})
    built.run("lora", [0], [0], settings={"learning_rate": 1e-4}, chosen={"micro_batch_rows": 8})
    built.run(
        "full",
        [0],
        [0],
        settings={"learning_rate": 2e-5},
        chosen={"micro_batch_rows": 4},
        protocol={"effective_batch_rows": 8},
        environment=other,
        memory_kind="process resident set",
        seed=1,
    )
    built.run("tfidf", [0], [0])
    found = {item.key: item for item in confounds({run.name: [run] for run in built.runs})}
    assert set(found) == {
        "effective_batch_rows",
        "micro_batch_rows",
        "memory_kind",
        "learning_rate",
        "versions.torch",
        "gpu",
        "seeds",
    }
    assert found["effective_batch_rows"].values == {"lora": ["16"], "full": ["8"], "tfidf": ["16"]}
    assert found["effective_batch_rows"].kind == "protocol"
    assert found["learning_rate"].kind == "own setting"
    assert found["micro_batch_rows"].values == {"lora": ["8"], "full": ["4"]}
    pair = {item.key for item in between(list(found.values()), "lora", "tfidf")}
    assert pair == set()
    assert "gpu" in {item.key for item in between(list(found.values()), "lora", "full")}


def test_runs_of_one_row_on_two_stacks_are_found(built, environment):
    newer = environment("NVIDIA H100").model_copy(update={"versions": {"torch": "2.14.0"}})
    built.run("lora", [0], [0])
    built.run("lora", [0], [0], seed=1, environment=newer)
    found = {item.key: item.values for item in confounds({"lora": built.runs})}
    assert found["versions.torch"] == {"lora": ["2.13.0", "2.14.0"]}


def test_a_tuned_rate_stands_for_the_setting(built):
    for name, rate in (("lora", 3e-4), ("full", 2e-5)):
        built.run(name, [0], [0], settings={"learning_rate": 1e-4}, chosen={"learning_rate": rate})
    (found,) = confounds({run.name: [run] for run in built.runs})
    assert found.kind == "own setting"
    assert found.values == {"lora": ["0.0003"], "full": ["2e-05"]}


def test_what_only_one_row_has_at_all_is_found(built):
    built.run("lora", [0], [0], protocol={"tuning": {"trials": 6}})
    built.run("full", [0], [0])
    found = {item.key: item.values for item in confounds({run.name: [run] for run in built.runs})}
    assert found == {
        "tuning.trials": {"lora": ["6"], "full": ["none"]},
        "tuning.widen": {"lora": ["True"], "full": ["none"]},
    }


def test_a_network_of_its_own_is_another_model(built):
    built.run(
        "zero", [0], [0], method="zero-shot", settings={"model": "facebook/bart-large-mnli", "template": "{label}"}
    )
    built.run("same", [0], [0], method="zero-shot", settings={"model": None, "template": "{label}"})
    built.run("lora", [0], [0])
    built.run("tfidf", [0], [0], method="tfidf")
    (found,) = confounds({run.name: [run] for run in built.runs})
    assert (found.kind, found.key) == ("model", "id")
    assert found.values == {
        "zero": ["facebook/bart-large-mnli"],
        "same": ["all-minilm-l6-v2"],
        "lora": ["all-minilm-l6-v2"],
    }


def test_a_fold_that_only_one_seed_lacks_is_found(built):
    for name, done in (("lora", [(0, 0), (0, 1), (1, 0), (1, 1)]), ("full", [(0, 0), (0, 1), (1, 0)])):
        for seed, fold in done:
            built.run(name, [0], [0], seed=seed, partition=fold)
    runs = {name: [run for run in built.runs if run.name == name] for name in ("lora", "full")}
    (found,) = confounds(runs)
    assert (found.kind, found.key) == ("runs", "partitions")
    assert found.values == {"lora": ["0, 1"], "full": ["0, 1 of seed 0; 0 of seed 1"]}


def test_whole_texts_against_their_beginnings(built):
    built.run("tfidf", [0], [0], method="tfidf", protocol={"max_tokens": 64})
    built.run("majority", [0], [0], method="majority", protocol={"max_tokens": 64})
    built.run("lora", [0], [0], protocol={"max_tokens": 64}, chosen={"max_tokens": 48})
    built.run("frozen", [0], [0], method="frozen", protocol={"max_tokens": 64})
    rows = {run.name: [run] for run in built.runs}
    (found,) = confounds(rows, longest_tokens=65)
    assert (found.kind, found.key) == ("data", "part of each text that is read")
    assert found.values == {"tfidf": ["whole"], "lora": ["first 48 tokens"], "frozen": ["first 64 tokens"]}
    assert confounds(rows, longest_tokens=48) == []
    assert confounds(rows) == []


@pytest.mark.parametrize(
    ("amount", "example", "said"),
    [
        (2.6e-5, True, "0.000026 US dollars"),
        (0.0, False, "0"),
        (12.345, False, "12.3"),
        (1234.5, True, "1230 US dollars"),
    ],
)
def test_money_has_no_exponent_and_names_a_currency_that_is_known(amount: float, example: bool, said: str) -> None:
    assert money(amount, example=example) == said
