"""The forecast of whole comparisons: what must grow, what must not fit, and what is known exactly."""

from typing import Any

import pytest
from transformers import BertConfig, LlamaConfig, PretrainedConfig

from showdown.core.forecast import ArmForecast
from showdown.core.spec import Comparison
from showdown.forecast.arms import forecast_arms
from showdown.forecast.needs import ONE_DEVICE
from showdown.forecast.profiles import profile_of
from showdown.forecast.workload import Workload
from showdown.stages.devices import DevicesOfRuns

ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 99,
}
DECODER = {**ENCODER, "num_key_value_heads": 1, "pad_token_id": 0}


def forecast(
    methods: dict[str, Any], *, config: PretrainedConfig | None = None, tokens: int = 20, rows: int = 40,
    device: str = "h100", task: str = "classification", devices: DevicesOfRuns = ONE_DEVICE, **protocol: Any,
) -> dict[str, ArmForecast]:  # fmt: skip
    """Return the forecast of each arm."""
    settings = {"tuning": None, "epochs": 2, "patience_epochs": None, "max_tokens": 4096, **protocol}
    comparison = Comparison.model_validate({"task": task, "methods": methods, "protocol": settings, "seeds": [0, 1]})
    writes = task == "generation"
    sizes = [(tokens, tokens // 2 if writes else 1)] * rows
    workload = Workload(
        comparison=comparison, config=config or LlamaConfig(**DECODER), labels=() if writes else ("a", "b"),
        train=sizes, validation=sizes[:4], test=sizes[:4], partitions=3, answer_tokens=[tokens // 2] * 4 * writes,
    )  # fmt: skip
    return {arm.name: arm for arm in forecast_arms(workload, profile_of(device), devices)}


def wide() -> LlamaConfig:
    """Return the configuration of a decoder with 7.5 billion weights in few layers."""
    widths = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 8, "num_attention_heads": 64}
    return LlamaConfig(**widths, num_key_value_heads=64, vocab_size=1000, pad_token_id=0)


def expected_gb(arm: ArmForecast) -> float:
    assert arm.peak_gb is not None
    return arm.peak_gb.expected


@pytest.mark.parametrize("device", ["h100", "cpu"])
@pytest.mark.parametrize("config", [LlamaConfig(**DECODER), BertConfig(**ENCODER)], ids=["decoder", "encoder"])
def test_every_phase_and_peak_is_a_range_in_order(config: PretrainedConfig, device: str) -> None:
    for arm in forecast({"full": {}, "lora": {}, "majority": {}}, config=config, device=device).values():
        for found in (*arm.seconds.values(), *([arm.peak_gb] if arm.peak_gb else [])):
            assert 0 <= found.low <= found.expected <= found.high
        assert arm.runs == 6
        assert {"training", "prediction"} <= arm.seconds.keys()


@pytest.mark.parametrize("device", ["h100", "cpu"])
def test_longer_rows_take_more_memory_and_more_time(device: str) -> None:
    config = LlamaConfig(**DECODER | {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8})
    short, long = (forecast({"lora": {}}, config=config, tokens=tokens, device=device)["lora"] for tokens in (64, 512))
    assert expected_gb(long) > expected_gb(short)
    assert long.seconds["training"].expected > short.seconds["training"].expected


@pytest.mark.parametrize("device", ["h100", "cpu"])
def test_decompositions_take_their_time(device: str) -> None:
    """Every 200 steps, whatever else a step costs: the 201st and the 401st take much longer than others."""
    config = LlamaConfig(**DECODER | {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8})
    a_step, second, third = (
        training_seconds(steps, config, device) - training_seconds(steps - 1, config, device)
        for steps in (200, 201, 401)
    )
    assert second == pytest.approx(third, rel=0.05)
    assert second > 3 * a_step


def training_seconds(steps: int, config: LlamaConfig, device: str) -> float:
    found = forecast({"galore": {}}, config=config, rows=steps * 8, tokens=1, epochs=1, effective_batch_rows=8,
                     device=device)  # fmt: skip
    return found["galore"].seconds["training"].expected


def test_attention_makes_long_rows_dear() -> None:
    """The same tokens in fewer rows take longer: attention grows with the square of a row."""
    many, few = (forecast({"full": {}}, tokens=tokens, rows=rows)["full"] for tokens, rows in ((64, 1024), (4096, 16)))
    assert few.seconds["prediction"].expected > many.seconds["prediction"].expected


def test_epochs_that_are_fixed_scale_training_and_those_that_are_not_make_it_a_wide_range() -> None:
    two, four = (forecast({"full": {}}, epochs=epochs, device="cpu")["full"].seconds["training"] for epochs in (2, 4))
    assert four.expected == pytest.approx(2 * two.expected)
    patient = forecast({"full": {}}, epochs=50, patience_epochs=3, device="cpu")["full"].seconds["training"]
    assert patient.high / patient.low > 2 * four.high / four.low


def test_tuning_is_trials_times_a_training() -> None:
    few, many = (
        forecast({"full": {}}, tuning={"trials": trials})["full"].seconds["tuning"].expected for trials in (3, 6)
    )
    assert many == pytest.approx(2 * few)


def test_a_method_that_cannot_work_on_a_network_says_why() -> None:
    arm = forecast({"bitfit": {}})["bitfit"]
    assert (arm.runs, arm.peak_gb, arm.fits) == (0, None, None)
    assert "no biases" in arm.notes[0]


def test_a_basis_is_derived_where_the_profile_is() -> None:
    assert forecast({"full": {}})["full"].basis == "measured on this kind of device"
    assert forecast({"full": {}}, device="a100")["full"].basis == "derived"


def test_a_network_fits_with_adapters_and_not_whole() -> None:
    """15.6 GB of weights; as much of gradients and twice as much of moments where all learn, on 47.8 GB."""
    arms = forecast(
        {"full": {}, "qlora": {}, "lora": {}}, config=wide(), device="l40s", match_memory=False, effective_batch_rows=2
    )
    assert (arms["full"].fits, arms["lora"].fits, arms["qlora"].fits) == (False, True, True)
    assert expected_gb(arms["full"]) > 4 * 15.5
    assert 17.0 > expected_gb(arms["lora"]) > 15.5
    assert expected_gb(arms["qlora"]) < 7.0


def test_several_gpus_that_train_a_run_together_are_forecast_as_they_will() -> None:
    """Each has its share of a step: smaller passes, and half of the time but for what travels."""
    one, two = (
        forecast({"lora": {}}, config=wide(), tokens=400, effective_batch_rows=32, devices=devices)["lora"]
        for devices in (ONE_DEVICE, DevicesOfRuns(slots=2, room=2))
    )
    assert (one.devices, two.devices) == (1, 2)
    assert expected_gb(two) < expected_gb(one)
    faster = one.seconds["training"].expected / two.seconds["training"].expected
    assert faster == pytest.approx(2 * 0.97, rel=0.05)
    assert two.seconds["prediction"] == one.seconds["prediction"], "one answers"


def test_an_arm_that_is_divided_leaves_the_others_as_they_are() -> None:
    alone = forecast({"lora": {}}, config=wide(), device="l40s", tokens=200)["lora"]
    arms = forecast({"full": {}, "lora": {}}, config=wide(), device="l40s", tokens=200, devices=DevicesOfRuns(slots=4))
    assert (arms["full"].devices, arms["full"].fits, arms["lora"].devices) == (2, True, 1)
    assert expected_gb(arms["lora"]) == expected_gb(alone)


def test_recording_graphs_is_counted_once_for_a_training() -> None:
    """Rows of one length make packs of one size, whose graph each training records once."""
    two, four, six = (
        forecast({"full": {}}, epochs=epochs)["full"].seconds["training"].expected for epochs in (2, 4, 6)
    )
    assert six - four == pytest.approx(four - two)
    assert 0 < 2 * two - four < two


def test_the_first_of_several_micro_batches_meets_no_gradients() -> None:
    """The longest rows of a step come first: beside gradients there are the shorter ones alone."""
    config = BertConfig(**ENCODER | {"vocab_size": 60_000})  # gradients that count
    whole, halves = (
        expected_gb(forecast({"full": {}}, config=config, device="cpu", effective_batch_rows=rows)["full"])
        for rows in (8, 16)
    )
    assert whole <= halves


def test_products_in_bfloat16_take_memory_of_their_own_on_a_processor() -> None:
    wide, narrow = (
        expected_gb(forecast({"full": {}}, device="cpu", precision=precision)["full"])
        for precision in ("float32", "bfloat16")
    )
    assert 0.9 - 0.16 - 0.05 < narrow - wide < 0.9 + 0.05


@pytest.mark.parametrize("config", [LlamaConfig(**DECODER), BertConfig(**ENCODER)], ids=["decoder", "encoder"])
def test_virtual_tokens_take_seconds_and_memory_as_others_do(config: PretrainedConfig) -> None:
    """Rows of 20 tokens with 200 virtual ones are forecast as rows of 219 with one."""
    few, many, longer = (
        forecast({"prompt": {"tokens": virtual}}, config=config, tokens=tokens, device="cpu")["prompt"]
        for virtual, tokens in ((1, 20), (200, 20), (1, 219))
    )
    for phase in ("training", "validation", "prediction"):
        assert many.seconds[phase].expected == pytest.approx(longer.seconds[phase].expected, rel=0.01)
        assert many.seconds[phase].expected > 1.05 * few.seconds[phase].expected
    assert expected_gb(many) > expected_gb(few)
