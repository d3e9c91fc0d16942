"""Seconds of training steps and of forward passes: the work of each micro-batch, weighed by fitted coefficients."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from showdown.core.memory import MemorySettings
from showdown.engine.budget import launch_bound_tokens
from showdown.engine.decoder.language import COUNTED_PARTS
from showdown.engine.graphs.cache import MOST_GRAPHS, filled_size
from showdown.engine.graphs.capture import missing_rows
from showdown.engine.optim.table import decompositions
from showdown.forecast.fitted import COEFFICIENTS, HOST_KINDS, OVERLAP
from showdown.forecast.layers import learning_tensors
from showdown.forecast.needs import NetworkArm
from showdown.forecast.rates import Rates, optimizer_bytes
from showdown.forecast.work import Kinds, NetworkWork, Pack
from showdown.training.batches import effective_batches, micro_batches

SAMPLED_STEPS = 12
"""Steps of an epoch whose seconds are counted; the epoch's follow from their tokens."""


class StepSeconds:
    """How long one arm's passes and steps take on one device."""

    def __init__(self, arm: NetworkArm, settings: MemorySettings, rates: Rates) -> None:
        self.arm, self.settings, self.rates = arm, settings, rates
        self.work = NetworkWork(arm, settings, rates)
        self.on_gpu = self.work.on_gpu
        self.path = f"{'gpu' if self.on_gpu else 'cpu'} {'packed' if arm.decoder else 'modules'}"
        self.coefficients = COEFFICIENTS[self.path]
        self._known: dict[tuple[int, ...], Kinds] = {}

    def pack_seconds(self, pack: Pack, *, trains: bool) -> float:
        """Return the seconds of a micro-batch."""
        return weighed(self.pack_work(pack, trains=trains), self.coefficients, on_gpu=self.on_gpu)

    def pack_work(self, pack: Pack, *, trains: bool) -> Kinds:
        """Return the work of a micro-batch by kind; of one replayed from a CUDA graph without the host's."""
        if self.on_gpu and trains and self.from_graphs(pack):
            filled = filled_size(pack.tokens, self.settings.micro_batch_tokens)
            scale = filled / pack.tokens
            pack = Pack(rows=[(round(tokens * scale), round(read * scale)) for tokens, read in pack.rows])
            work = self.work.of_pack(pack, trains=True)
            for kind in HOST_KINDS:
                work.pop(kind, None)
            work["replays"] += self.rates.seconds("launch_us", 1)
            return work
        return self._launched(pack, trains=trains)

    def _launched(self, pack: Pack, *, trains: bool) -> Kinds:
        work = self.work.of_pack(pack, trains=trains)
        work["passes"] += self.rates.seconds("launch_us", 1)
        return work

    def from_graphs(self, pack: Pack) -> bool:
        """Return whether a micro-batch is replayed from a CUDA graph once its size has recurred."""
        arm, settings = self.arm, self.settings
        if not arm.decoder or not settings.gradients_stay or self.work.calls_layers:
            return False
        filled = filled_size(pack.tokens, settings.micro_batch_tokens)
        return filled <= launch_bound_tokens(arm.needs.shape)

    def graph_size(self, pack: Pack) -> tuple[int, ...] | None:
        """Return what packs have in common that one CUDA graph replays; None for one that no graph replays."""
        if not self.on_gpu or not self.from_graphs(pack):
            return None
        filled, rows = filled_size(pack.tokens, self.settings.micro_batch_tokens), len(pack.rows)
        counted = -(-pack.read // max(1, filled // COUNTED_PARTS)) if self.work.demand.output else 0
        return filled, rows + missing_rows(rows, filled - pack.tokens), counted

    def recording_seconds(self, rows: Sequence[tuple[int, int]]) -> float:
        """Return the seconds that a training takes once for its CUDA graphs: two passes of each size are launched."""
        sizes: dict[tuple[int, ...], Pack] = {}
        for packs in self.packs_of_steps(rows):
            for pack in packs:
                size = self.graph_size(pack)
                if size is not None and len(sizes) < MOST_GRAPHS:
                    sizes.setdefault(size, pack)
        launched = (self._launched(pack, trains=True) for pack in sizes.values())
        return 2 * sum(weighed(work, self.coefficients, on_gpu=self.on_gpu) for work in launched)

    def decomposition_seconds(self, epochs: float) -> float:
        """Return the seconds of the decompositions that the optimizer takes in a training of so many epochs."""
        arm = self.arm
        steps = math.ceil(epochs * math.ceil(len(arm.train) / arm.job.protocol.effective_batch_rows))
        learning = [value for value in arm.module.parameters() if value.requires_grad]
        counted = decompositions(learning, optimizer=arm.optimizer, steps=steps)
        return sum(times * self.rates.decomposition_seconds(*shape) for shape, times in counted.items())

    @cached_property
    def optimizer_work(self) -> Kinds:
        """Return the work of an optimizer step: gradients clipped, moments and weights written."""
        found: Kinds = defaultdict(float)
        demand, rates = self.arm.needs.demand, self.rates
        gradient = demand.gradient_bytes
        moved = optimizer_bytes(gradient=gradient, state=demand.optimizer_bytes, weights=gradient)
        found["optimizer"] += rates.seconds("optimizer_gbps", moved)
        single = sum(count for (_, kind), count in self._tensors.items() if kind == "torch.bfloat16")
        found["single tensors"] += single * rates.seconds("launch_us", 1)
        found["tensors"] += sum(self._tensors.values()) * rates.seconds("launch_us", 1)
        found["steps"] += rates.seconds("launch_us", 1)
        return found

    @cached_property
    def _tensors(self) -> Counter[tuple[int, str]]:
        return learning_tensors(self.arm.module)

    def step_seconds(self, rows: Sequence[tuple[int, int]]) -> float:
        """Return the seconds of an optimizer step over rows of these tokens and tokens that are read."""
        return weighed(self.step_work(rows), self.coefficients, on_gpu=self.on_gpu)

    def step_work(self, rows: Sequence[tuple[int, int]]) -> Kinds:
        """Return the work of an optimizer step by kind."""
        total: Kinds = defaultdict(float)
        for work in (*(self.pack_work(pack, trains=True) for pack in self.packs(rows)), self.optimizer_work):
            for kind, seconds in work.items():
                total[kind] += seconds
        return total

    def packs_of_steps(self, rows: Sequence[tuple[int, int]]) -> Iterator[list[Pack]]:
        """Yield the micro-batches of each step of the first epoch of seed 0, which stands for others."""
        for batch in effective_batches(len(rows), self.arm.job.protocol.effective_batch_rows, seed=0, epoch=0):
            yield self.packs([rows[row] for row in batch])

    def packs(self, rows: Sequence[tuple[int, int]]) -> list[Pack]:
        """Return the micro-batches of a step."""
        settings = self.settings
        numbers = micro_batches(
            range(len(rows)), [tokens for tokens, _ in rows], settings.micro_batch_rows, settings.micro_batch_tokens
        )
        return [Pack(rows=[rows[number] for number in micro]) for micro in numbers]

    def epoch_seconds(self, rows: Sequence[tuple[int, int]], *, seed: int = 0) -> float:
        """Return the seconds of the training steps of an epoch over these rows."""
        size = self.arm.job.protocol.effective_batch_rows
        batches = effective_batches(len(rows), size, seed=seed, epoch=0)
        every = max(1, math.ceil(len(batches) / SAMPLED_STEPS))
        sample = batches[::every]
        seconds = sum(self.step_seconds([rows[row] for row in batch]) for batch in sample)
        return seconds / sum(len(batch) for batch in sample) * len(rows)

    def forward_seconds(self, rows: Sequence[tuple[int, int]], *, batch_rows: int = 16) -> float:
        """Return the seconds of forward passes over rows of similar length together."""
        ordered = sorted(rows)
        batches = [ordered[start : start + batch_rows] for start in range(0, len(ordered), batch_rows)]
        every = max(1, math.ceil(len(batches) / SAMPLED_STEPS))
        sample = batches[::every]
        seconds = sum(self.pack_seconds(Pack(rows=batch), trains=False) for batch in sample)
        return seconds / max(1, sum(map(len, sample))) * len(rows)


def weighed(work: Mapping[str, float], coefficients: Mapping[str, float], *, on_gpu: bool) -> float:
    """Return the seconds of work; on a GPU that of its host goes on beside that of its kernels."""
    parts = {kind: seconds * coefficients.get(kind, 1.0) for kind, seconds in work.items()}
    if not on_gpu:
        return sum(parts.values())
    host = sum(seconds for kind, seconds in parts.items() if kind in HOST_KINDS)
    kernels = sum(parts.values()) - host
    return float((host**OVERLAP + kernels**OVERLAP) ** (1 / OVERLAP))
