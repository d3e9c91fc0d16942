"""Passes at any size from few that are traced: equal to a trace of all layers at that very size."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    DebertaV2Config,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PretrainedConfig,
    T5Config,
    T5Model,
)

from showdown.core.spec import Comparison
from showdown.forecast import passes
from showdown.forecast.arms import network_arms
from showdown.forecast.forms import are_told_apart, forms_of
from showdown.forecast.needs import NetworkArm
from showdown.forecast.profiles import profile_of
from showdown.forecast.shallow import stack_of
from showdown.forecast.trace import Trace
from showdown.forecast.workload import Workload

WIDTHS = {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 7,
}
NETWORKS: dict[str, Callable[[], PretrainedConfig]] = {
    "bert": lambda: BertConfig(**WIDTHS),
    "modernbert": lambda: ModernBertConfig(**WIDTHS | {"num_hidden_layers": 12}, pad_token_id=0, local_attention=16),
    "deberta": lambda: DebertaV2Config(
        **WIDTHS, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, share_att_key=True,
        norm_rel_ebd="layer_norm", max_relative_positions=-1, type_vocab_size=0,
    ),
    "llama": lambda: LlamaConfig(**WIDTHS, num_key_value_heads=1, pad_token_id=0),
    "gpt2": lambda: GPT2Config(n_embd=32, n_head=2, n_layer=6, vocab_size=90, n_inner=48, pad_token_id=0),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "_KNOWN", {})


def arms(config: PretrainedConfig, *methods: str, device: str = "h100") -> dict[str, NetworkArm]:
    protocol: dict[str, Any] = {"tuning": None, "epochs": 1, "patience_epochs": None}
    comparison = Comparison.model_validate({"methods": {name: {} for name in methods}, "protocol": protocol})
    rows = [(60, 1)] * 16
    workload = Workload(comparison=comparison, config=config, labels=("a", "b"), train=rows, validation=rows, test=rows)
    return network_arms(workload, profile_of(device))


def facts(trace: Trace) -> tuple[Any, ...]:
    """Return what was counted; bytes but for a few, since a word of random bits serves four numbers of a CPU's mask."""
    sizes = (trace.moved_bytes, trace.saved_bytes, trace.largest_activation_bytes)
    return +trace.products, +trace.attentions, trace.kernels, pytest.approx(sizes, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "device", "method", "trains"),
    [
        ("bert", "cpu", "lora", True), ("bert", "cpu", "full", False), ("modernbert", "h100", "full", True),
        ("deberta", "h100", "full", True), ("llama", "cpu", "lora", True), ("gpt2", "h100", "full", True),
    ],
)  # fmt: skip
def test_few_layers_at_two_sizes_tell_all_layers_at_any(name: str, device: str, method: str, trains: bool) -> None:
    (arm,) = arms(NETWORKS[name](), method, device=device).values()
    assert stack_of(arm.module) is not None
    assert arm.passes.has_forms(5, trains=trains)
    found, expected = (facts(one(5, 23, trains=trains)) for one in (arm.passes.at, arm.passes.whole))
    assert found[:3] == expected[:3]
    assert found[3].expected == expected[3]


def test_a_network_of_two_stacks_is_traced_whole() -> None:
    config = T5Config(d_model=32, d_ff=48, num_layers=6, num_decoder_layers=6, num_heads=2, d_kv=16, vocab_size=90)
    with torch.device("meta"):
        assert stack_of(T5Model(config)) is None


def test_layers_are_back_after_a_pass_without_them() -> None:
    (arm,) = arms(NETWORKS["bert"](), "full").values()
    arm.passes.at(4, 20, trains=True)
    assert len(arm.module.bert.encoder.layer) == WIDTHS["num_hidden_layers"]  # type: ignore[union-attr,arg-type]


def test_arms_whose_networks_are_alike_share_their_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = arms(NETWORKS["bert"](), "lora", "qlora", "full")
    counted = []
    real = passes.traced
    monkeypatch.setattr(passes, "traced", lambda *given, **named: counted.append(1) or real(*given, **named))
    for name, traces in (("lora", 4), ("qlora", 0), ("full", 4)):
        counted.clear()
        found[name].passes.at(4, 20, trains=True)
        assert len(counted) == traces


def test_what_a_dropped_part_of_the_graph_kept_is_not_counted() -> None:
    layer = torch.nn.Linear(8, 6, bias=False, device="meta")

    def call() -> torch.Tensor:
        layer(torch.empty(500, 8, device="meta"))  # its result is not used
        return layer(torch.empty(5, 8, device="meta"))

    assert passes.traced(layer, call).saved_bytes == 4 * 5 * 8


def test_a_size_that_is_no_product_of_rows_and_length_has_no_form() -> None:
    at = (2, 30), (3, 40)
    assert are_told_apart(*at)
    grows = [Trace(noted=[("moved", (8 * rows * length,))]) for rows, length in at]
    other = [Trace(noted=[("moved", (8 * rows * length + 1,))]) for rows, length in at]
    found = forms_of(grows[0], at[0], grows[1], at[1])
    assert found is not None and found.at(7, 11).moved_bytes == 8 * 7 * 11
    assert forms_of(other[0], at[0], other[1], at[1]) is None
