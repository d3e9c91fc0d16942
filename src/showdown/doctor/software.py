"""Checks of what is installed: Python, torch with CUDA, the libraries of single methods, and extras."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterator

from showdown.core.record import Environment
from showdown.doctor.check import Check, note, ok, wrong
from showdown.engine.decoder.fused import liger_is_here
from showdown.engine.kernels.available import triton_is_here
from showdown.measure.system import has_gpu

_PACKAGE = "finetuning-showdown"
_GPU_EXTRA = f"pip install '{_PACKAGE}[gpu]'"
_INSTALL = "`pip install .` in the source tree"
_LEAST_PYTHON = (3, 11)
_BRINGS = {
    "audit": "rows to look at first, whose labels may be wrong",
    "gpu": "fused kernels and cuDNN's attention for a GPU",
    "hub": "data sets of the Hugging Face Hub",
    "kaggle": "`showdown data study`",
    "mlflow": "the tracker mlflow",
    "onnx": "export to ONNX",
    "ray": "`showdown run --executor ray`",
    "serve": "`showdown serve`",
    "tensorboard": "the tracker tensorboard",
    "trackio": "the tracker trackio",
    "wandb": "the tracker wandb",
}
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")
_NAME = re.compile(r"[\w.-]+")


def software_checks(found: Environment) -> Iterator[Check]:
    """Yield what runs need: Python, torch, CUDA, and the libraries of single methods.

    Args:
        found: of this machine.

    """
    if sys.version_info >= _LEAST_PYTHON:
        yield ok("Python", platform.python_version())
    else:
        yield wrong("Python", platform.python_version(), "install Python 3.11 or newer")
    yield _torch()
    yield _cuda(found)
    yield _bitsandbytes()
    yield from _gpu_kernels()
    others = {name: version for name, version in found.versions.items() if name not in ("python", "torch")}
    yield ok("versions", ", ".join(f"{name} {version}" for name, version in others.items()))


def _torch() -> Check:
    import torch

    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
    return ok("torch", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")


def _cuda(found: Environment) -> Check:
    import torch

    if found.gpu is not None:
        return ok("CUDA", f"{torch.version.cuda}, driver {found.driver}, bfloat16: {torch.cuda.is_bf16_supported()}")
    if not has_gpu():
        return note("CUDA", "not used: no NVIDIA GPU here")
    if torch.version.cuda is None:
        fix = "`pip install --force-reinstall --index-url https://download.pytorch.org/whl/cu128 torch`"
        return wrong("CUDA", "an NVIDIA GPU is here, and this torch is built for CPUs", fix)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return wrong(
            "CUDA", f"hidden from torch by CUDA_VISIBLE_DEVICES={hidden!r}", "`unset CUDA_VISIBLE_DEVICES`, or name one"
        )
    return wrong(
        "CUDA",
        f"torch cannot use the GPU: its driver is missing or older than CUDA {torch.version.cuda} needs",
        "look at `nvidia-smi`, and update the NVIDIA driver",
    )


def _bitsandbytes() -> Check:
    """Try what QLoRA does with it: make a weight small, and dense again."""
    if importlib.util.find_spec("bitsandbytes") is None:
        return wrong("bitsandbytes", "not installed: no QLoRA", "`pip install 'bitsandbytes>=0.50'`")
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit

        packed, state = quantize_4bit(torch.ones(64, 64, device=device), quant_type="nf4")
        dequantize_4bit(packed, state)
    except Exception as error:  # whatever its binary meets
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        return wrong(
            "bitsandbytes", f"does not work here ({why})", "`pip install --force-reinstall --no-deps bitsandbytes`"
        )
    return ok("bitsandbytes", f"{importlib.metadata.version('bitsandbytes')}, quantises on {device}")


def _gpu_kernels() -> Iterator[Check]:
    """Yield the libraries that make a GPU faster; without one they have no use."""
    import torch

    gpu = torch.cuda.is_available()
    liger = liger_is_here()
    frontend = importlib.util.find_spec("cudnn") is not None
    built_in = torch.backends.cudnn.version() if gpu else None  # type: ignore[no-untyped-call]
    if not gpu:
        for name, there in (("Liger", liger), ("cuDNN", frontend)):
            yield note(name, f"{'installed, ' if there else ''}not used without a GPU")
        return
    yield ok("Triton", "installed") if triton_is_here() else wrong("Triton", "not installed", "`pip install triton`")
    yield ok("Liger", "installed") if liger else wrong("Liger", "not installed: steps are slower", f"`{_GPU_EXTRA}`")
    if frontend:
        yield ok("cuDNN", f"{built_in}, with its frontend")
    else:
        yield wrong("cuDNN", f"{built_in}, without its frontend: long texts are slower", f"`{_GPU_EXTRA}`")


def extra_checks() -> Iterator[Check]:
    """Yield which extras are installed, as the metadata of this package names them."""
    try:
        requirements = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        yield note("extras", "not known: Showdown runs from a source tree that is not installed", _INSTALL)
        return
    needed: dict[str, list[str]] = {}
    for line in requirements:
        of_extra, name = _EXTRA.search(line), _NAME.match(line)
        if of_extra and name:
            needed.setdefault(of_extra[1], []).append(name[0])
    for extra, packages in sorted(needed.items()):
        if extra == "dev" or _PACKAGE in packages:
            continue
        missing = [name for name in packages if not _is_installed(name)]
        brings = _BRINGS.get(extra, ", ".join(packages))
        if missing:
            yield note(extra, f"not installed ({', '.join(missing)}): {brings}", f"`pip install '{_PACKAGE}[{extra}]'`")
        else:
            yield ok(extra, brings)


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
