"""Training with the engine, as the GPU benchmarks do it: packed and fused, in one of its memory modes."""

from typing import Any

import torch
from torch import nn

from benchmarks.lib.meter import Meter
from benchmarks.lib.workload import ALPHA, EFFECTIVE_ROWS, LEARNING_RATE, PAD, RANK, WEIGHT_DECAY, Rows, base_model
from showdown.core.spec import SharedProtocol
from showdown.engine.accumulate import Accumulator
from showdown.engine.budget import Demand, gradients_may_stay, plan, shape_of
from showdown.engine.decoder.cudnn_attention import building_for
from showdown.engine.forward import choose_forward
from showdown.engine.garbage_collector import paused_garbage_collector
from showdown.engine.graphs.capture import choose_accumulator
from showdown.engine.optim.adamw import AdamW
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.optim.table import state_bytes
from showdown.fp8.linear import learn_in_fp8
from showdown.tasks.classification.objective import CrossEntropy
from showdown.training.batches import micro_batches


def network(method: str, *, tiny: bool, device: str, dropout: float, shape: dict[str, int] | None = None) -> Any:
    """Return the network to train, with PEFT's adapters where the method has them."""
    from peft import LoraConfig, get_peft_model

    kind = torch.bfloat16 if device == "cuda" else torch.float32
    held = {"four_bit": method == "qlora", "fp8": method == "lora-fp8"}
    model = base_model(tiny=tiny, dtype=kind, device=device, **held, shape=shape)
    if method == "full-fp8":
        for layer in model.model.layers.modules():
            if isinstance(layer, nn.Linear):
                learn_in_fp8(layer)
    if method.startswith("full"):
        return model.requires_grad_(True)
    config = LoraConfig(
        task_type="SEQ_CLS", r=RANK, lora_alpha=ALPHA, lora_dropout=dropout, target_modules=["q_proj", "v_proj"]
    )
    torch.manual_seed(1)
    return get_peft_model(model, config)


class Training:
    """One training in one memory mode."""

    def __init__(
        self, method: str, rows: Rows, *, tiny: bool, device: str, dropout: float, settings: dict[str, Any],
        shape: dict[str, int] | None = None,
    ) -> None:  # fmt: skip
        """Build the network.

        Args:
            method: `full`, `lora`, `qlora`, or one of the first two with `-fp8`.
            rows: all training rows.
            tiny: use a tiny network, to try the benchmark out.
            device: `cuda` or `cpu`.
            dropout: dropout of the adapters' input.
            settings: `budget_gb`, or `micro_rows`, and where wanted `micro_tokens`, `recompute`, `in_backward`,
                `moments_on_host`, `cudnn` (False: torch's attention), `graphs` (True: compute all small packs from
                CUDA graphs, even beside large ones; False: none), `rounding` (by default the product's choice), `clip`.
            shape: shape of the network, where it is neither the 7B's nor the tiny one's.

        """
        self.method, self.rows, self.device = method, rows, device
        self.module = network(method, tiny=tiny, device=device, dropout=dropout, shape=shape).train()
        if "budget_gb" in settings:
            settings = settings | self._within(settings["budget_gb"])
        self.settings = settings
        recompute = bool(settings.get("recompute"))
        building = None
        if not recompute and device == "cuda" and settings.get("cudnn", True):
            building = building_for(
                self.module.config, lengths=rows.lengths, micro_rows=settings["micro_rows"],
                micro_tokens=settings.get("micro_tokens"),
            )  # fmt: skip
        attention = building.result() if building else None
        self.path = choose_forward(
            self.module, pad_token_id=PAD, device=device, recompute=recompute, attention=attention
        )
        learning = {name: value for name, value in self.module.named_parameters() if value.requires_grad}
        self.in_backward = bool(settings.get("in_backward"))
        self.stepper = AdamW(
            learning,
            OptimizerSettings(
                weight_decay=WEIGHT_DECAY,
                rounding=settings.get("rounding", "stochastic" if method.startswith("full") else "float32"),
                in_backward=self.in_backward,
                moments_on_host=bool(settings.get("moments_on_host")),
            ),
        )
        self.learning = learning
        self.passes = self.fresh_passes()
        self.max_norm = None if self.in_backward or not settings.get("clip", True) else 1.0

    def fresh_passes(self) -> Accumulator:
        """Return forward and backward passes that have not recorded a CUDA graph yet."""
        graphs = self.settings.get("graphs")
        return choose_accumulator(
            self.path,
            CrossEntropy(SharedProtocol()),
            self.learning,
            gradients_stay=not self.in_backward and (self._gradients_stay() if graphs is None else graphs),
            most_tokens=self.settings.get("micro_tokens"),
        )

    def _gradients_stay(self) -> bool:
        gradient_bytes = sum(
            value.numel() * value.itemsize for value in self.module.parameters() if value.requires_grad
        )
        return gradients_may_stay(
            shape_of(self.module.config),
            gradient_bytes,
            lengths=self.rows.lengths,
            rows=self.settings["micro_rows"],
            micro_tokens=self.settings.get("micro_tokens"),
        )

    def _within(self, budget_gb: float) -> dict[str, Any]:
        """Return the settings that the engine chooses for a budget, as the product does for `memory: 30`."""
        learning = [value for value in self.module.parameters() if value.requires_grad]
        demand = Demand(
            weight_bytes=torch.cuda.memory_allocated() if self.device == "cuda" else 0,
            gradient_bytes=sum(value.numel() * value.itemsize for value in learning),
            optimizer_bytes=state_bytes(learning, "stochastic" if self.method == "full" else "float32"),
            trains_backbone=self.method == "full",
            four_bit=self.method == "qlora",
        )
        found = plan(
            shape_of(self.module.config),
            demand,
            memory=budget_gb,
            lengths=self.rows.lengths,
            effective_rows=EFFECTIVE_ROWS[self.method],
            free_gb=torch.cuda.mem_get_info()[1] / 1e9 if self.device == "cuda" else budget_gb,
        )
        print(f"budget of {budget_gb} GB: {found}", flush=True)
        return {"micro_rows": found.micro_rows, "micro_tokens": found.micro_tokens, "recompute": found.recompute}

    def step(self, batch: list[int]) -> torch.Tensor:
        """Take one optimiser step over these rows; return their mean loss."""
        self.stepper.begin(LEARNING_RATE[self.method])
        total = torch.zeros((), device=self.device)
        for micro in micro_batches(
            batch, self.rows.lengths, self.settings["micro_rows"], self.settings.get("micro_tokens")
        ):
            targets = torch.tensor([self.rows.targets[row] for row in micro])
            total += self.passes.accumulate([self.rows.ids[row] for row in micro], targets, len(batch))
        self.stepper.end(self.max_norm)
        return total


def run(
    method: str, rows: Rows, steps: list[list[int]], warmup: list[list[int]], *, tiny: bool, device: str,
    dropout: float, settings: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Train the given steps and return losses, seconds and memory."""
    training = Training(method, rows, tiny=tiny, device=device, dropout=dropout, settings=settings)
    meter = Meter(device=device)
    with paused_garbage_collector():
        losses = [training.step(batch) for batch in warmup]
        meter.begin()
        losses += [training.step(batch) for batch in steps]
        meter.end()
    return {
        "losses": [float(loss) for loss in losses],
        "seconds": meter.seconds,
        "path": training.path.name,
        **meter.memory(),
    }
