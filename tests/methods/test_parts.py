"""Parts of a network by role, settings of the optimizer, and tensors of the network's own that are saved by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from showdown.methods.parts import roles_of, with_role
from showdown.methods.table import build
from showdown.models.network import NetworkOptions, load_network
from tiny_pretrained import DECODERS, ENCODERS, job

Pretrained = Callable[[str], Path]


@pytest.mark.parametrize("family", [*ENCODERS, *DECODERS])
def test_every_layer_has_a_key_a_value_and_a_feed_forward_output(pretrained: Pretrained, family: str) -> None:
    """In each of the two layers of a tiny model, and no linear layer has two roles but a fused one."""
    network = load_network(pretrained(family), job(pretrained(family)), NetworkOptions())
    for role in ("query", "key", "value", "attention output", "feed-forward input", "feed-forward output"):
        found = with_role(network.linear_names, role)  # type: ignore[arg-type]
        gated = role == "feed-forward input" and family in DECODERS
        assert len(found) == (4 if gated else 2), (role, found)
    for name in network.linear_names:
        assert len(roles_of(name)) <= (3 if name.endswith("Wqkv") else 1)


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("transformer.h.0.attn.c_proj", ("attention output",)),
        ("transformer.h.0.mlp.c_proj", ("feed-forward output",)),
        ("transformer.h.0.attn.c_attn", ("query", "key", "value")),
        ("gpt_neox.layers.0.attention.query_key_value", ("query", "key", "value")),
        ("gpt_neox.layers.0.attention.dense", ("attention output",)),
        ("gpt_neox.layers.0.mlp.dense_4h_to_h", ("feed-forward output",)),
        ("encoder.block.0.layer.1.DenseReluDense.wo", ("feed-forward output",)),
        ("bert.encoder.layer.0.attention.output.dense", ("attention output",)),
        ("bert.encoder.layer.0.output.dense", ("feed-forward output",)),
        ("bert.encoder.layer.0.intermediate.dense", ("feed-forward input",)),
        ("model.layers.0.block_sparse_moe.router", ()),
    ],
)
def test_roles_of_known_names(name: str, roles: tuple[str, ...]) -> None:
    assert roles_of(name) == roles


def test_lora_plus_steps_b_at_its_own_rate(pretrained: Pretrained) -> None:
    folder = pretrained("bert")
    method: Any = build("lora", {"up_rate_scale": 16.0})
    module = method.adapt(load_network(folder, job(folder), method.options))
    scales = {name: group.rate_scale for group in method.parameter_groups(module) for name in group.names}
    assert {scale for name, scale in scales.items() if ".lora_B." in name} == {16.0}
    assert {scale for name, scale in scales.items() if ".lora_B." not in name} == {1.0}
    assert scales.keys() == {name for name, value in module.named_parameters() if value.requires_grad}


def test_lion_takes_a_fifth_of_the_rate_and_the_same_decay_a_step(pretrained: Pretrained) -> None:
    folder = pretrained("bert")
    adamw: Any = build("full", {})
    lion: Any = build("full", {"optimizer": "lion"})
    module = adamw.adapt(load_network(folder, job(folder), adamw.options))
    assert (adamw.optimizer, lion.optimizer) == ("adamw", "lion")
    assert lion.learning_rate(2000) == pytest.approx(adamw.learning_rate(2000) / 5)
    assert build("full", {"optimizer": "lion", "learning_rate": 0.01}).learning_rate(2000) == 0.01  # type: ignore[attr-defined]
    for own, other in zip(adamw.parameter_groups(module), lion.parameter_groups(module), strict=True):
        assert own.names == other.names
        assert adamw.learning_rate(2000) * own.decay_scale == pytest.approx(
            lion.learning_rate(2000) * other.decay_scale
        )


@pytest.mark.parametrize(
    ("method", "key"), [("lora", "up_rate_scale"), ("dora", "up_rate_scale"), ("full", "optimizer")]
)
def test_new_settings_leave_old_run_ids(method: str, key: str) -> None:
    """A run of an earlier version, whose settings lack the key, is found again."""
    from showdown.core.strict import identity_of

    now = identity_of(build(method, {}).settings)
    assert key not in now
    assert key in identity_of(build(method, {key: 2.0 if key == "up_rate_scale" else "lion"}).settings)


@pytest.fixture
def saved(pretrained: Pretrained, tmp_path: Path) -> tuple[Any, Path, Callable[[Path | None], Any]]:
    """BitFit, what it saved, and what loads the network."""
    folder = pretrained("bert")
    method: Any = build("bitfit", {})

    def load(_: Path | None) -> Any:
        return load_network(folder, job(folder), method.options)

    module = method.adapt(load(None))
    with torch.no_grad():
        for value in module.parameters():
            if value.requires_grad:
                value.add_(1.0)
    method.save(module, tmp_path)
    return method, tmp_path / "trained.safetensors", load


def test_biases_alone_are_saved_and_restored(saved: tuple[Any, Path, Callable[[Path | None], Any]]) -> None:
    method, path, load = saved
    written = load_file(path)
    assert all(name.endswith("bias") or name.startswith(("classifier", "bert.pooler")) for name in written)
    assert path.stat().st_size < 0.1 * sum(value.nbytes for value in load(None).module.parameters())
    again = dict(method.reload(path.parent, load).named_parameters())
    fresh = dict(load(None).module.named_parameters())
    for name, value in again.items():
        assert torch.equal(value, written.get(name, fresh[name])), name


@pytest.mark.parametrize("fault", ["missing", "more", "shape"])
def test_a_file_that_does_not_fit_is_refused(saved: tuple[Any, Path, Callable[[Path | None], Any]], fault: str) -> None:
    method, path, load = saved
    tensors = load_file(path)
    name = "bert.encoder.layer.0.output.dense.bias"
    if fault == "missing":
        del tensors[name]
    elif fault == "more":
        tensors["bert.embeddings.word_embeddings.weight"] = torch.zeros(3)
    else:
        tensors[name] = torch.zeros(1)
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r"trained.safetensors does not fit this method and model, for one at bert\."):
        method.reload(path.parent, load)
