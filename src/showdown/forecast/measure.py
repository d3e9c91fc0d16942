"""`showdown doctor --measure`: the rates of this machine's device, in under a minute.

Each rate is the median of several rounds. A GPU is kept busy first, since its clock falls to what its power allows.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import torch

from showdown.core.files import write_json
from showdown.core.forecast import DeviceProfile
from showdown.engine.decoder.attention import Heads, layout_of, packed_attention
from showdown.engine.optim.adamw import AdamW
from showdown.engine.optim.settings import OptimizerSettings
from showdown.forecast.profiles import local_file
from showdown.forecast.rates import NF4_BYTES, optimizer_bytes
from showdown.measure.environment import environment, versions

GB = 1e9
COMMAND = "showdown doctor --measure"
_PRODUCTS = {
    "cuda": (
        ("bfloat16", (64, 256, 1024, 4096, 16384), (768, 2048, 4096, 8192)),
        ("float32", (512, 4096), (768, 4096)),
    ),
    "cpu": (("float32", (16, 64, 256, 1024, 4096), (384, 768, 1536, 3072)),),
}
"""By device: number type, tokens and widths of the products that are timed."""
_LENGTHS = (64, 256, 1024, 4096)
_WARMING_SECONDS = 1.5
_ROUNDS = 3


def measure_device(say: Callable[[str], None], device: str | None = None) -> DeviceProfile:
    """Measure this machine's GPU, or its CPU where there is none, and return its profile.

    Args:
        say: told what is measured.
        device: `cpu` or `cuda`; by default the GPU where there is one.

    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    rates: dict[str, float] = {}
    for title, found in _all_rates(device):
        say(title)
        rates |= found()
    here = environment(device)
    memory_gb = torch.cuda.mem_get_info()[1] / GB if device == "cuda" else psutil.virtual_memory().total / GB
    used = {name: number for name, number in versions().items() if name in ("python", "torch", "transformers")}
    return DeviceProfile(
        name=here.gpu or f"{here.cpu}, {torch.get_num_threads()} threads",
        kind="gpu" if device == "cuda" else "cpu",
        memory_gb=round(memory_gb, 2),
        rates={name: float(f"{rate:.4g}") for name, rate in rates.items()},
        measured_with={**used, "date": datetime.now(UTC).date().isoformat(), "command": COMMAND},
    )


def with_own_launches(profile: DeviceProfile) -> DeviceProfile:
    """Return another machine's profile of this GPU with the launches of this host, which take it some milliseconds.

    Hosts of one kind of GPU differ by a tenth and more, and steps of small networks wait for them.
    """
    if profile.kind != "gpu" or not torch.cuda.is_available():
        return profile
    launch = float(f"{_launches('cuda')['launch_us']:.4g}")
    return profile.model_copy(update={"rates": {**profile.rates, "launch_us": launch}})


def keep(profile: DeviceProfile) -> Path:
    """Write a profile where `local_profile` finds it; return the file."""
    path = local_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, profile.model_dump(mode="json"))
    return path


def _all_rates(device: str) -> Iterator[tuple[str, Callable[[], dict[str, float]]]]:
    yield "matrix products", lambda: _products(device)
    yield "attention", lambda: _attention(device)
    yield "memory, optimizer and 4-bit weights", lambda: _moving(device) | _optimizer(device) | _dequantise(device)
    yield "launches", lambda: _launches(device)
    yield "files and processes", lambda: _files(device) | _process(device)


def _timed(run: Callable[[], Any], device: str, *, enough: float = 0.03) -> float:
    """Return the seconds of a call, from as many calls as take about `enough` seconds; the median of some rounds."""
    run()
    _wait(device)
    begun = time.perf_counter()
    run()
    _wait(device)
    calls = max(1, min(200, round(enough / max(1e-6, time.perf_counter() - begun))))
    rounds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        for _ in range(calls):
            run()
        _wait(device)
        rounds.append((time.perf_counter() - begun) / calls)
    return statistics.median(rounds)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _products(device: str) -> dict[str, float]:
    found = {}
    if device == "cuda":
        x = torch.randn(8192, 8192, device=device).bfloat16()
        begun = time.perf_counter()
        while time.perf_counter() - begun < _WARMING_SECONDS:
            x @ x
            _wait(device)
    for kind, tokens, widths in _PRODUCTS[device]:
        dtype = getattr(torch, kind)
        for width in widths:
            weight = torch.randn(width, width, device=device).to(dtype)
            for rows in tokens:
                x = torch.randn(rows, width, device=device).to(dtype)
                seconds = _timed(lambda x=x, weight=weight: torch.nn.functional.linear(x, weight), device)  # type: ignore[misc]
                found[f"{kind}_product_{rows}x{width}_tflops"] = 2.0 * rows * width * width / seconds / 1e12
    return found


def _attention(device: str) -> dict[str, float]:
    """Time causal attention over packs of rows of one length; products that are masked do not count."""
    found = {}
    tokens, heads, width, dtype = (8192, 32, 128, torch.bfloat16) if device == "cuda" else (1024, 12, 64, torch.float32)
    for length in _LENGTHS:
        if length > tokens:
            continue
        layout = layout_of([length] * (tokens // length), device)
        settings = Heads(scaling=width**-0.5, window=None)
        q, k, v = (torch.randn(tokens, heads, width, device=device).to(dtype).requires_grad_() for _ in range(3))
        forward = _timed(lambda: packed_attention(q, k, v, layout, layout, settings), device)  # noqa: B023
        out = packed_attention(q, k, v, layout, layout, settings)
        towards = torch.randn_like(out)
        backward = _timed(lambda: torch.autograd.grad(out, (q, k, v), towards, retain_graph=True), device)  # noqa: B023
        operations = 2.0 * tokens * length * heads * width
        found[f"attention_{length}_forward_tflops"] = operations / forward / 1e12
        found[f"attention_{length}_backward_tflops"] = 2.5 * operations / backward / 1e12
    return found


def _moving(device: str) -> dict[str, float]:
    numbers = 2**27 if device == "cuda" else 2**23
    x, y = (
        torch.zeros(numbers, dtype=torch.bfloat16 if device == "cuda" else torch.float32, device=device) for _ in "ab"
    )
    out = torch.empty_like(x)
    seconds = _timed(lambda: torch.add(x, y, out=out), device)
    small = torch.zeros(2**20, dtype=x.dtype, device=device)
    small_seconds = _timed(lambda: torch.add(small, small, out=small), device)
    return {
        "elementwise_gbps": 3 * numbers * x.itemsize / seconds / GB,
        "elementwise_small_gbps": 3 * 2**20 * x.itemsize / small_seconds / GB,
    }


def _optimizer(device: str) -> dict[str, float]:
    """Time AdamW over one large weight: in 16 bits, rounded stochastically, on a GPU."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    weight = torch.nn.Parameter(torch.zeros(2**27 if device == "cuda" else 2**23, dtype=dtype, device=device))
    settings = OptimizerSettings(weight_decay=0.01, rounding="stochastic" if device == "cuda" else "nearest")
    stepper = AdamW({"weight": weight}, settings)
    gradient = torch.ones_like(weight)

    def step() -> None:
        stepper.begin(1e-5)
        weight.grad = gradient
        stepper.end(1.0)

    bytes_each = weight.numel() * weight.itemsize
    moved = optimizer_bytes(gradient=bytes_each, state=2 * bytes_each, weights=bytes_each)
    return {"optimizer_gbps": moved / _timed(step, device) / GB}


def _dequantise(device: str) -> dict[str, float]:
    """Time how fast NF4 weights become dense; where bitsandbytes is missing, nothing could use it."""
    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    except ImportError:
        return {"dequantise_gbps": 1.0}
    side = 4096 if device == "cuda" else 1024
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    packed, state = quantize_4bit(
        torch.randn(side, side, device=device).to(dtype), quant_type="nf4", compress_statistics=True
    )
    run: Callable[[], Any] = lambda: dequantize_4bit(packed, state)  # noqa: E731
    if device == "cuda":
        from showdown.engine.kernels.available import triton_is_here

        if triton_is_here():
            from showdown.engine.kernels.nf4 import Dense

            run = Dense(packed, state, None)
    return {"dequantise_gbps": side * side * (NF4_BYTES + dtype.itemsize) / _timed(run, device) / GB}


def _launches(device: str) -> dict[str, float]:
    """Time what the host needs for an operation with its part of the backward pass, and a GPU for a small kernel."""
    x = torch.zeros(64, device=device, requires_grad=True)

    def chain() -> None:
        y = x
        for _ in range(200):
            y = y * 1.0
        y.sum().backward()  # type: ignore[no-untyped-call]

    found = {"launch_us": _timed(chain, device) / 400 * 1e6}
    found["kernel_us"] = 0.3
    if device == "cuda":
        graph, z = torch.cuda.CUDAGraph(), torch.zeros(64, device=device)
        z.add_(1.0)
        with torch.cuda.graph(graph):
            for _ in range(400):
                z.add_(1.0)
        found["kernel_us"] = _timed(graph.replay, device) / 400 * 1e6
    return found


def _files(device: str) -> dict[str, float]:
    """Time writing and reading of a file, from the system's cache as a model used lately, and the way to a GPU."""
    content = os.urandom(2**20) * 128
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        begun = time.perf_counter()
        with path.open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
        written = time.perf_counter() - begun
        begun = time.perf_counter()
        path.read_bytes()
        read = time.perf_counter() - begun
    found = {"write_gbps": len(content) / written / GB, "read_gbps": len(content) / read / GB}
    if device == "cuda":
        x = torch.zeros(2**28, dtype=torch.uint8)
        found["host_to_device_gbps"] = x.numel() / _timed(lambda: x.to(device), device) / GB
        found["power_watts"] = _power_limit()
    return found


def _power_limit() -> float:
    """Return the power that the driver allows the GPU; 0 where it does not say."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return float(pynvml.nvmlDeviceGetEnforcedPowerLimit(pynvml.nvmlDeviceGetHandleByIndex(0))) / 1000
    except pynvml.NVMLError:
        return 0.0


def _process(device: str) -> dict[str, float]:
    """Time the start of a process with its libraries, the second time, and read what it holds then."""
    code = f"""
import psutil, torch, transformers, peft
from showdown.core.method import TunedMethod
import showdown.engine.forward, showdown.models.network
from transformers import BertForSequenceClassification, LlamaForCausalLM
torch.ones(64, 64, device={device!r}) @ torch.ones(64, 64, device={device!r})
print(psutil.Process().memory_info().rss)
"""
    for _ in range(2):
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
    return {"process_start_seconds": seconds, "process_gb": int(done.stdout.split()[-1]) / GB}
