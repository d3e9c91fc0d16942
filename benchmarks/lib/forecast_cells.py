"""Cells of the forecast's proof: a network, a method, a memory mode and row lengths, forecast first and then trained.

The weights are random. A cell is trained by the product's own loop with the settings that the forecast chose, which are
those that the product chooses. Nothing that was measured goes into its forecast.
"""

import gc
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sklearn.metrics  # noqa: F401 - a run's process has it from the beginning; its 0.1 GB are not the training's
import torch

from benchmarks.lib.forecast_shapes import SHAPES
from benchmarks.lib.timing import synchronize
from showdown.core.forecast import DeviceProfile
from showdown.core.memory import MemorySettings
from showdown.core.method import TunedMethod
from showdown.core.spec import Comparison, SharedProtocol
from showdown.core.task import EncodedExamples, Validation
from showdown.engine.decoder.cudnn_attention import building_for
from showdown.engine.forward import choose_forward
from showdown.engine.optim.settings import OptimizerSettings
from showdown.forecast.measure import with_own_launches
from showdown.forecast.needs import NetworkArm, memory_settings_of, network_arm
from showdown.forecast.rates import Rates
from showdown.forecast.step import StepSeconds
from showdown.forecast.workload import RowSizes, Workload
from showdown.fp8.linear import fp8_layer
from showdown.measure.memory import memory_of
from showdown.measure.phases import PhaseClock
from showdown.methods.table import build
from showdown.models.network import Network, completed, skeleton_of
from showdown.stages.demand import most_weights_learn, rounding_of
from showdown.training.batches import effective_batches
from showdown.training.loop import train
from showdown.training.run import TrainingRun

_LABELS = tuple("abcdefgh")
_WARMUP = {"cuda": 6, "cpu": 2}
_MOST_WARMUP = 50
_FEWEST_STEPS, _MOST_TOKENS = 14, 2_000_000
"""Steps that are drawn, and tokens of all of them, which are drawn too."""
_RECORDED = 2
"""Passes of a size before it is replayed: one that is launched and one that is recorded."""
_LOOKED_AT = 20
"""Steps behind the warm-up, of which most must be replayed."""
_MOST_TIMED = {"cuda": 150, "cpu": 30}
_LEAST_TIMED = 4
_WARM_SECONDS = {"cuda": 1.5, "cpu": 0.0}
"""Of steps before the clock starts: the first ones of a process find kernels and memory that are not there yet."""
_MEASURED_SECONDS = {"cuda": 3.0, "cpu": 5.0}
_REPLAYED = 0.95
"""Share of the packs from graphs that were recorded before the clock starts."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training that is forecast and measured."""

    shape: str
    method: str
    lengths: tuple[int, int]
    """Fewest and most tokens of a row; rows are drawn evenly between them."""
    settings: dict[str, Any] = field(default_factory=dict)
    memory: str | float = "speed"
    task: str = "classification"
    rows: int = 16
    """Of an optimizer step."""
    answer_share: float = 0.3
    """Of a row's tokens that have a loss, in generation."""
    protocol: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in the results."""
        settings = ",".join(f"{key}={value}" for key, value in {**self.settings, **self.protocol}.items())
        task = "generation" if self.task == "generation" else "classification"
        low, high = self.lengths
        method = f"{self.method}({settings})" if settings else self.method
        return f"{self.shape} {task} {method} {self.memory} {low}-{high} x{self.rows}"

    def drawn(self, steps: int, *, largest_first: bool = True) -> RowSizes:
        """Return the sizes of the rows of so many steps.

        Args:
            steps: of the training.
            largest_first: whether the step with most tokens is the first, so that memory which grows with the largest
                step is there before the clock starts, as it is after an epoch of any training.

        """
        generator = random.Random(self.name)
        lengths = [generator.randint(*self.lengths) for _ in range(steps * self.rows)]
        if largest_first:
            batches = effective_batches(len(lengths), self.rows, seed=0, epoch=0)
            largest = max(batches, key=lambda rows: sum(lengths[row] for row in rows))
            for one, other in zip(batches[0], largest, strict=True):
                lengths[one], lengths[other] = lengths[other], lengths[one]
        if self.task == "classification":
            return [(tokens, 1) for tokens in lengths]
        return [(tokens, max(1, round(tokens * self.answer_share))) for tokens in lengths]

    def comparison(self) -> Comparison:
        """Return the comparison of this one arm."""
        protocol = {
            "effective_batch_rows": self.rows, "epochs": 1, "patience_epochs": None, "tuning": None, "max_tokens": 8192,
            "select_epoch": "last", "memory": self.memory, **self.protocol,
        }  # fmt: skip
        return Comparison.model_validate(
            {"task": self.task, "methods": {self.method: self.settings}, "protocol": protocol, "seeds": [0]}
        )

    def config(self) -> Any:
        """Return the network's configuration."""
        from transformers import AutoConfig

        kind, keys = SHAPES[self.shape]
        return AutoConfig.for_model(kind, **{"pad_token_id": 0, **keys})

    def workload(self, steps: int, *, largest_first: bool = True) -> Workload:
        """Return what is forecast."""
        rows = self.drawn(steps, largest_first=largest_first)
        labels = _LABELS if self.task == "classification" else ()
        return Workload(
            comparison=self.comparison(),
            config=self.config(),
            labels=labels,
            train=rows,
            validation=rows[:16],
            test=rows[:16],
        )


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which steps of a cell's training are timed."""

    drawn: int
    """Steps whose rows are drawn; the training may end before."""
    warmup: int
    timed: int | None = None
    """None for all that are left."""
    largest_first: bool = True


@dataclass(frozen=True, kw_only=True)
class CellForecast:
    """The forecast of a cell, and what it rests on."""

    arm: NetworkArm
    settings: MemorySettings
    step: StepSeconds
    steps: Steps
    measured: list[list[int]]
    """Rows of each step that is timed."""

    @cached_property
    def rows(self) -> RowSizes:
        """Sizes of all rows."""
        return self.arm.train

    def step_seconds(self) -> float:
        """Return the mean of the steps that are timed."""
        return sum(self.step.step_seconds([self.rows[row] for row in step]) for step in self.measured) / len(
            self.measured
        )

    def features(self) -> dict[str, Any]:
        """Return the work of some of the steps that are timed, by kind: what coefficients are fitted on."""
        steps = [dict(self.step.step_work([self.rows[row] for row in step])) for step in self.measured[:8]]
        return {"path": self.step.path, "steps": steps}


def prepared_cell(cell: Cell, profile: DeviceProfile) -> CellForecast:
    """Return a cell to be measured: it warms up until packs of most sizes are replayed from graphs."""
    device = "cuda" if profile.kind == "gpu" else "cpu"
    drawn = min(_MOST_WARMUP + _MOST_TIMED[device], max(_FEWEST_STEPS, _MOST_TOKENS // (cell.rows * cell.lengths[1])))
    forecast = forecast_cell(cell, profile, Steps(drawn=drawn, warmup=0))
    seen: Counter[tuple[int, ...]] = Counter()
    recurring = []
    for rows in effective_batches(len(forecast.rows), cell.rows, seed=0, epoch=0):
        keys = [forecast.step.graph_size(pack) for pack in forecast.step.packs([forecast.rows[row] for row in rows])]
        recurring.append(all(key is None or seen[key] >= _RECORDED for key in keys))
        seen.update(key for key in keys if key is not None)
    tails = {first: recurring[first + 1 : first + 1 + _LOOKED_AT] for first in range(_WARMUP[device], _MOST_WARMUP)}
    warmup = next((first for first, tail in tails.items() if tail and sum(tail) >= _REPLAYED * len(tail)), _MOST_WARMUP)
    return replace(forecast, steps=Steps(drawn=drawn, warmup=min(warmup, drawn - _LEAST_TIMED - 1)))


def forecast_cell(cell: Cell, profile: DeviceProfile, steps: Steps) -> CellForecast:
    """Return the forecast of a cell.

    Args:
        cell: the cell.
        profile: of the device.
        steps: of its training.

    """
    workload = cell.workload(steps.drawn, largest_first=steps.largest_first)
    protocol = SharedProtocol.model_validate(
        workload.comparison.protocol.model_dump(include=set(SharedProtocol.model_fields))
    )
    arm = network_arm(_method(cell), protocol, workload, profile)
    settings = memory_settings_of({cell.method: arm}, profile)[cell.method]
    batches = effective_batches(len(arm.train), cell.rows, seed=0, epoch=0)
    begun = steps.warmup + 1 if arm.job.placement.device == "cuda" else steps.warmup
    timed = batches[begun:] if steps.timed is None else batches[begun : begun + steps.timed]
    return CellForecast(
        arm=arm, settings=settings, step=StepSeconds(arm, settings, Rates(profile)), steps=steps, measured=timed
    )


def _method(cell: Cell) -> TunedMethod:
    method = build(cell.method, cell.settings)
    assert isinstance(method, TunedMethod)
    return method


class _TimedEnough(Exception):
    """Ends a training whose steps were timed."""


class _Watch:
    """Takes the time from the warm-up on, and ends the training when that was enough."""

    def __init__(self, steps: Steps, device: str) -> None:
        self.steps, self.device = steps, device
        self.warmup: int | None = None
        """Steps before the clock starts."""
        self.first = self.begun = self.ended = 0.0
        self.timed = 0
        self.losses: list[float] = []
        self.said: list[str] = []

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        self.losses.append(loss)
        now = time.perf_counter()
        self.first = self.first or now
        last = self.steps.drawn - (self.device == "cuda")  # on a GPU a step is read when the next is launched
        if self.warmup is None:
            warm = now - self.first >= _WARM_SECONDS[self.device] or step + _LEAST_TIMED >= last
            if step >= self.steps.warmup and warm:
                synchronize(self.device)
                self.warmup, self.begun = step, time.perf_counter()
            return
        timed = step - self.warmup
        enough = now - self.begun >= _MEASURED_SECONDS[self.device] or timed >= _MOST_TIMED[self.device]
        if timed >= _LEAST_TIMED and (enough or step >= last):
            synchronize(self.device)
            self.ended, self.timed = time.perf_counter(), timed
            raise _TimedEnough

    def say(self, message: str) -> None:
        if "micro-batch halved" in message:  # it does not fit as it is
            raise torch.OutOfMemoryError(message)
        self.said.append(message)


def train_cell(cell: Cell, forecast: CellForecast, *, plans: bool = False) -> dict[str, Any]:
    """Train a cell as its forecast says; return the peak of memory and the seconds of a step.

    Args:
        cell: the cell.
        forecast: its settings and steps.
        plans: whether torch may take cuDNN's attention, as it would by itself.

    Raises:
        torch.OutOfMemoryError: where it does not fit.

    """
    arm, settings = forecast.arm, forecast.settings
    job, device = arm.job, arm.job.placement.device
    memory = memory_of(device)
    libraries_gb = memory.peak().allocated_gb if device == "cpu" else 0.0
    network = random_network(cell, arm)
    torch.manual_seed(0)
    method = _method(cell)
    module = method.adapt(network).train()
    module.to(device)
    building = None
    if device == "cuda" and not settings.recompute:
        building = building_for(
            module.config, lengths=arm.needs.lengths, micro_rows=settings.micro_batch_rows,
            micro_tokens=settings.micro_batch_tokens,
        )  # fmt: skip
    path = choose_forward(
        module, pad_token_id=0, device=device, recompute=settings.recompute,
        attention=building.result() if building else None,
    )  # fmt: skip
    if plans:
        torch.backends.cuda.enable_cudnn_sdp(True)
    whole = most_weights_learn(module)
    watch = _Watch(forecast.steps, device)
    examples = _examples(cell, arm)
    run = TrainingRun(
        task=job.task, module=module, forward=path, train=examples, validation_targets=examples.targets[:1],
        validate=lambda: Validation(score=0.5, loss=1.0, values={job.task.score_key: 0.5, job.task.curve_metric: 0.5}),
        protocol=job.protocol, micro_batch_rows=settings.micro_batch_rows,
        micro_batch_tokens=settings.micro_batch_tokens,
        expected_peak_gb=settings.expected_peak_gb, gradients_stay=settings.gradients_stay,
        step=OptimizerSettings(
            weight_decay=job.protocol.weight_decay, name=method.optimizer,
            groups=method.parameter_groups(module), rounding=rounding_of(job.protocol, whole, device),
            in_backward=settings.step_in_backward, moments_on_host=whole and job.protocol.moments_on_host,
        ),
        learning_rate=1e-5, seed=0, device=device, clock=PhaseClock(memory), checkpoints=None, watcher=watch,
    )  # fmt: skip
    with suppress(_TimedEnough):
        train(run)
    peaks = next(phase for phase in run.clock.phases() if phase.name == "training")
    return {
        "seconds_a_step": (watch.ended - watch.begun) / watch.timed,
        "warmup_steps": watch.warmup,
        "steps_timed": watch.timed,
        "peak_gb": peaks.peak_allocated_gb,
        "reserved_gb": peaks.peak_reserved_gb,
        "libraries_gb": libraries_gb,
        "forward": path.name,
        "said": watch.said,
        "last_loss": watch.losses[-1],
    }


def random_network(cell: Cell, arm: NetworkArm) -> Network:
    """Return the pretrained network with random weights on its device, in fewer bits where the method wants that."""
    import transformers

    job = arm.job
    config = completed(cell.config(), job)
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[job.placement.dtype]
    names = skeleton_of(config, job)
    with torch.device(job.placement.device):
        module = getattr(transformers, job.task.auto_class).from_config(config, dtype=dtype)
    options = _method(cell).options
    for name in names.linear_names if options.four_bit or options.fp8 else ():
        linear = module.get_submodule(name)
        made = _quantised(linear, dtype) if options.four_bit else fp8_layer(linear, linear.weight.detach(), dtype)
        module.set_submodule(name, made)
    if options.four_bit:
        module.is_loaded_in_4bit = True
    return replace(names, module=module)


def _quantised(linear: Any, dtype: torch.dtype) -> Any:
    from bitsandbytes.nn import Linear4bit, Params4bit

    made: Any = Linear4bit(
        linear.in_features, linear.out_features, bias=linear.bias is not None, quant_type="nf4", compute_dtype=dtype,
        device="meta",
    )  # fmt: skip
    device = linear.weight.device
    made.weight = Params4bit(linear.weight.data, requires_grad=False, quant_type="nf4", module=made).to(device)
    made.bias = linear.bias
    if hasattr(made, "support_avx512bf16_for_cpu"):
        made.support_avx512bf16_for_cpu = False
    return made


def _examples(cell: Cell, arm: NetworkArm) -> EncodedExamples:
    generator = torch.Generator().manual_seed(0)
    most = int(arm.called.config.vocab_size)
    ids = [torch.randint(10, most, (tokens,), generator=generator).tolist() for tokens, _ in arm.train]
    if cell.task == "classification":
        return EncodedExamples(ids=ids, targets=[(row % len(_LABELS),) for row in range(len(ids))])
    return EncodedExamples(
        ids=ids,
        targets=[
            [-100] * (len(row) - read) + row[len(row) - read + 1 :] + [-100]
            for row, (_, read) in zip(ids, arm.train, strict=True)
        ],
    )


def measured_cell(cell: Cell, profile: DeviceProfile, *, plans: bool = False) -> dict[str, Any]:
    """Train a cell under the memory settings that the product chooses, and return what it took.

    Args:
        cell: the cell.
        profile: of the device: its memory is what settings follow from. Its forecast is made from the file, later.
        plans: see `train_cell`.

    """
    begun = time.perf_counter()
    forecast = prepared_cell(cell, profile)
    steps = forecast.steps
    found: dict[str, Any] = {
        "cell": cell.name,
        "weights": sum(value.numel() for value in forecast.arm.module.parameters()),
        "settings": forecast.settings.model_dump(),
        "steps": steps.drawn,
        "largest_first": steps.largest_first,
        "cudnn_plans": plans,
    }
    found["prepared_seconds"] = time.perf_counter() - begun
    found["launch_us"] = with_own_launches(profile).rates["launch_us"]
    try:
        found["measured"] = train_cell(cell, forecast, plans=plans)
    except torch.OutOfMemoryError:
        found["measured"] = {"out_of_memory": True}
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"[:600]
    del forecast
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    found["took_seconds"] = time.perf_counter() - begun
    print(line_of(found), flush=True)
    return found


def line_of(found: dict[str, Any]) -> str:
    """Return what a cell took in a line."""
    measured = found.get("measured", {})
    if "peak_gb" not in measured:
        return f"{found['cell']}: {found.get('error') or measured}"
    return (
        f"{found['cell']}: {measured['peak_gb']:.3f} GB, {measured['seconds_a_step'] * 1e3:.1f} ms of "
        f"{measured['steps_timed']} steps behind {measured['warmup_steps']}; took {found['took_seconds']:.1f} s, "
        f"{found['prepared_seconds']:.1f} before; {measured['said'] or ''}"
    )
