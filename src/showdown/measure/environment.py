"""The environment of a run: versions, commit, hardware."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

from showdown.core.record import GB, Environment
from showdown.core.version import VERSION

_OWN_NAME = "finetuning-showdown"
_PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "tokenizers",
    "safetensors",
    "scikit-learn",
    "numpy",
    "liger-kernel",
    "nvidia-cudnn-frontend",
)


def environment(device: str) -> Environment:
    """Return the versions, the commit and the hardware of this machine.

    Args:
        device: `cuda` to include the GPU.

    """
    import torch

    gpu = device == "cuda"
    properties = torch.cuda.get_device_properties(0) if gpu else None
    return Environment(
        versions=versions(),
        commit=commit(),
        platform=platform.platform(),
        cpu=cpu_name(),
        cpu_threads=torch.get_num_threads(),
        memory_gb=round(psutil.virtual_memory().total / GB, 1),
        gpu=properties.name if properties else None,
        gpu_memory_gb=round(properties.total_memory / GB, 1) if properties else None,
        driver=_driver() if gpu else None,
    )


def versions() -> dict[str, str]:
    """Return the versions of Python, of Showdown and of the packages that a run depends on, by name."""
    found = {"python": platform.python_version(), _OWN_NAME: VERSION}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the commit of the checkout that holds this package; None when it is installed elsewhere."""
    here = Path(__file__).resolve().parent
    git = ["git", "-C", str(here)]
    try:
        tracked = subprocess.run(
            [*git, "ls-files", "--error-unmatch", __file__], capture_output=True, timeout=20, check=False
        )
        if tracked.returncode != 0:
            return None
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=20, check=True)
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip() + ("-dirty" if status.stdout.strip() else "")


def cpu_name() -> str:
    """Return the processor's name, and how many cores the system counts."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _driver() -> str | None:
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
