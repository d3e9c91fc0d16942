"""What each check says of machines that are not this one: GPUs, drivers, disks, logins."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from showdown.core.record import Environment
from showdown.doctor import accounts, fits, machine, software
from showdown.doctor.check import Check
from showdown.measure.limits import MemoryRoom


def environment(**more: Any) -> Environment:
    given: dict[str, Any] = {
        "versions": {"python": "3.12", "torch": "2.11"},
        "commit": None,
        "platform": "Linux",
        "cpu": "a CPU",
        "cpu_threads": 2,
        "memory_gb": 16.0,
        "gpu": None,
        "gpu_memory_gb": None,
        "driver": None,
    }
    return Environment(**{**given, **more})


def one(checks: Any, name: str) -> Check:
    (found,) = (check for check in checks if check.name == name)
    assert isinstance(found, Check)
    return found


@pytest.mark.parametrize(
    ("gpu_here", "built_for", "visible", "state", "fix"),
    [
        (False, None, None, "note", None),
        (True, None, None, "fix", "--index-url https://download.pytorch.org/whl/"),
        (True, "12.8", "", "fix", "unset CUDA_VISIBLE_DEVICES"),
        (True, "12.8", None, "fix", "update the NVIDIA driver"),
    ],
)
def test_a_gpu_that_torch_cannot_use_has_its_fix(
    gpu_here: bool,
    built_for: str | None,
    visible: str | None,
    state: str,
    fix: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(software, "has_gpu", lambda: gpu_here)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = one(software.software_checks(environment()), "CUDA")
    assert found.state == state
    assert fix is None if found.fix is None else fix in found.fix


def test_kernels_of_a_gpu_are_missed_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "liger_is_here", lambda: False)
    monkeypatch.setattr(software, "triton_is_here", lambda: True)
    assert one(software._gpu_kernels(), "Liger").state == "note"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
    found = list(software._gpu_kernels())
    assert one(found, "Triton").state == "ok"
    assert one(found, "Liger").fix == "`pip install 'finetuning-showdown[gpu]'`"


def test_bitsandbytes_that_is_broken_is_not_called_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    import bitsandbytes.functional

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("no kernel image\nis available")

    monkeypatch.setattr(bitsandbytes.functional, "quantize_4bit", broken)
    found = software._bitsandbytes()
    assert found.state == "fix"
    assert "RuntimeError: no kernel image is available" in found.says
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert software._bitsandbytes().fix == "`pip install 'bitsandbytes>=0.50'`"


def test_extras_are_those_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = [
        "torch>=2",
        'no-such-package>=1; extra == "audit"',
        "numpy; extra == 'other'",
        'finetuning-showdown[other]; extra == "all"',
        'pytest; extra == "dev"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needed)
    found = list(software.extra_checks())
    assert [(check.name, check.state) for check in found] == [("audit", "note"), ("other", "ok")]
    assert found[0].fix == "`pip install 'finetuning-showdown[audit]'`"


def test_little_room_is_to_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOAD_SECONDS", 0.0)
    assert one(machine.machine_checks(), "memory").state in ("ok", "fix")
    little = MemoryRoom(limit_bytes=2 * 10**9, free_bytes=10**9, of_group=True)
    monkeypatch.setattr(machine, "memory_room", lambda: little)
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10**9))
    found = list(machine.machine_checks())
    assert one(found, "memory").says == "1.0 of 2.0 GB free, by the limit of its control group"
    assert {one(found, name).state for name in ("memory", "disk", "disk, cache")} == {"fix"}


@pytest.mark.parametrize(("share", "state"), [(0.02, "ok"), (0.5, "note"), (None, "note")])
def test_a_busy_machine_is_said_to_be(share: float | None, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOAD_SECONDS", 0.0)
    meter: Any = SimpleNamespace(read=lambda: share)
    monkeypatch.setattr(machine, "LoadMeter", lambda: meter)
    assert machine._load().state == state


def test_gpus_are_named_with_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    meter: Any = SimpleNamespace(
        read=lambda: SimpleNamespace(memory_gb=10.0), total_gb=lambda: 85.0, name=lambda: "NVIDIA H100"
    )
    meters: dict[str, Any] = {"GPU-a": meter, "GPU-b": None}
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    monkeypatch.setattr(machine, "visible_devices", lambda: list(meters))
    monkeypatch.setattr(machine, "gpu_meter", lambda device: meters[device])
    found = list(machine._gpus())
    assert one(found, "GPU 0").says == "NVIDIA H100, 75.0 of 85.0 GB free"
    assert one(found, "GPU 1").state == "fix"


def test_a_login_is_told_of_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert {check.state for check in accounts.account_checks()} == {"note"}
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password swordfish\n", encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "swordfish")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:swordfish@example")
    found = list(accounts.account_checks())
    assert {check.state for check in found} == {"ok"}
    assert "swordfish" not in "".join(check.says for check in found)


def test_what_fits_is_a_table_of_sizes_and_methods(
    pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoConfig

    small = AutoConfig.from_pretrained(pretrained("bert"))
    monkeypatch.setattr(fits, "sizes", lambda: iter([("tiny", small)]))
    heading, columns, line = fits.fitting_lines()
    assert fits.ASSUMED in heading
    assert columns.split() == ["full", "lora", "qlora"]
    assert line.split()[0] == "tiny"
    assert line.split()[2::2] == ["fits"] * 3
    tight = fits._profile()
    assert tight is not None
    monkeypatch.setattr(fits, "_profile", lambda: tight.model_copy(update={"memory_gb": 0.01}))
    assert list(fits.fitting_lines())[-1].split()[2::2] == ["no"] * 3
    monkeypatch.setattr(fits, "_profile", lambda: None)
    assert list(fits.fitting_lines()) == ["What fits is not known: the GPU does not answer"]
