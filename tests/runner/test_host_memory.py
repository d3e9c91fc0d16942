"""The host memory that a stage of an arm is said to take."""

from collections.abc import Callable
from pathlib import Path

import pytest

from forecasts import arm, device, forecast
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.models.folder import stored_parameters
from showdown.runner.host_memory import CUDA_GB, host_memory
from showdown.runner.memory_check import LIBRARIES_GB


def spec(model: Path, needs: str = "training", **protocol: object) -> RunSpec:
    return RunSpec(
        name="lora",
        method="lora",
        settings={},
        model=ModelSpec(id=str(model)),
        protocol=SharedProtocol.model_validate(protocol),
        seed=0,
        data_fingerprint="f" * 64,
        needs=needs,
    )


def of(run: RunSpec, *, on_gpu: bool = False) -> float:
    return host_memory([run], None, on_gpu=on_gpu)["lora"]


def test_without_a_forecast_it_is_the_libraries_and_the_network(pretrained: Callable[[str], Path]) -> None:
    model = pretrained("bert")
    parameters = stored_parameters(model)
    assert of(spec(model, "text")) == LIBRARIES_GB
    assert of(spec(model)) == LIBRARIES_GB + 4 * parameters / 1e9
    assert of(spec(model), on_gpu=True) == LIBRARIES_GB + CUDA_GB + 2 * parameters / 1e9
    offloaded = spec(model, moments_on_host=True, max_gradient_norm=None)
    assert of(offloaded, on_gpu=True) == LIBRARIES_GB + CUDA_GB + 10 * parameters / 1e9


def test_a_model_that_cannot_be_read_is_left_to_its_stage(tmp_path: Path) -> None:
    assert of(spec(tmp_path)) == LIBRARIES_GB


@pytest.mark.parametrize(("on_gpu", "said"), [(False, 1.1), (True, None)])
def test_on_a_cpu_it_is_the_high_end_of_the_forecast(on_gpu: bool, said: float | None, tmp_path: Path) -> None:
    found = host_memory([spec(tmp_path)], forecast(arm("lora", peak_gb=1.0), on=device(kind="cpu")), on_gpu=on_gpu)[
        "lora"
    ]
    assert found == pytest.approx(LIBRARIES_GB + CUDA_GB if said is None else said)
