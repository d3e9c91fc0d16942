"""What every method must do: the conformance suite on an encoder and a decoder, and more on all families.

One method alone: `pytest tests/methods -k "lora and not qlora"`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from showdown.core.errors import Unavailable
from showdown.core.method import FittedMethod, NetworkOptions, TunedMethod
from showdown.engine.forward import choose_forward
from showdown.methods.table import METHODS, build, method_class
from showdown.models.network import load_network
from showdown.testing import Case, Workshop, cases
from showdown.testing.material import MATERIALS
from showdown.testing.tuned import require_same_answers
from tiny_pretrained import DECODERS, ENCODERS, LABELS, job, separable_rows

TUNED = [name for name in METHODS if issubclass(method_class(name), TunedMethod)]
MODELS = {"bitfit": ("bert", "qwen2"), "few-shot": ("mistral", "llama")}
"""An encoder and a decoder that a method can use, where these are not BERT and Mistral."""
BOTH = ("bert", "mistral")
EMULATED = ("full-fp8", "lora-fp8")
"""Methods whose products a CPU computes slowly. `tests/fp8` tests in seconds what they do otherwise than others."""
TEXTS = MATERIALS["classification"].asked.texts
"""What `Trained.answered` holds the scores of."""
PAIRS = [(method, model) for method in TUNED if method not in EMULATED for model in MODELS.get(method, BOTH)]
SHARED_OUT = {"prompt": "bert", "prefix": "mistral"}
"""Of two methods on one base the model on which the other is tried in any case: there they are long. A file of its own
(`test_virtual_tokens.py`) compares what both compute on both with the same by hand."""
ON_EMBEDDINGS = ("frozen", "knn", "boosting", "static", "setfit")
FAMILIES = [*ENCODERS, *DECODERS]
OTHERS = ("full", "lora", pytest.param("qlora", marks=pytest.mark.long))
"""Methods that are trained on every family."""


def is_variant(method: str) -> bool:
    """Whether a method changes little of another one of the table, on a network that is loaded alike."""
    kind: Any = method_class(method)
    others = [method_class(name) for name in TUNED if name != method]
    return any(
        base in others and build(method, {}).options == base(base.Settings()).options for base in kind.__mro__[1:]
    )


def marked(values: Sequence[Any], method: str, family: str) -> Any:
    """Return a parameter of a test; it is long where a variant is tried on the second of its models.

    The method that it varies is tried there in any case, and `test_adapters.py` compares what both compute there. Of a
    method whose products are emulated here all cases are long but one.
    """
    long = SHARED_OUT.get(method) == family or (is_variant(method) and family != MODELS.get(method, BOTH)[0])
    if method in EMULATED:
        long = "settings_reach_the_network" not in str(values[0])
    return pytest.param(*values, marks=[pytest.mark.long] if long else [], id="-".join(map(str, values)))


CASES = [case for method in METHODS for case in cases(method, models=MODELS.get(method, BOTH))]


@pytest.mark.parametrize("case", [marked([case], case.method, case.family) for case in CASES])
def test_conformance(case: Case, workshop: Workshop) -> None:
    case.run(workshop)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in BOTH])
@pytest.mark.parametrize("method", OTHERS)
def test_every_family_learns(workshop: Workshop, method: str, family: str) -> None:
    losses = workshop.trained(method, family, epochs=3).losses
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:2])


@pytest.mark.parametrize("method", OTHERS)
def test_every_family_answers_the_same_in_a_fresh_process(workshop: Workshop, method: str) -> None:
    runs = [workshop.trained(method, family, epochs=3) for family in FAMILIES if family not in BOTH]
    answers = workshop.fresh.answered([run.folder for run in runs], workshop.material)
    for run, after in zip(runs, answers, strict=True):
        require_same_answers(run, after)


@pytest.mark.parametrize("family", ["mistral", "llama", "modernbert"])
def test_bitfit_refuses_a_network_without_biases(workshop: Workshop, family: str) -> None:
    folder = workshop.model(family)
    method: Any = build("bitfit", {})
    with pytest.raises(Unavailable, match="has no biases, which are all that BitFit trains") as caught:
        method.adapt(load_network(folder, job(folder), method.options))
    assert "\n" not in str(caught.value)


def adapted(name: str, folder: Path, seed: int = 0) -> Any:
    method = build(name, {})
    assert isinstance(method, TunedMethod)
    torch.manual_seed(seed)
    return method.adapt(load_network(folder, replace(job(folder, dropout=0.0), seed=seed), method.options))


@pytest.mark.parametrize(("method", "model"), [marked(pair, *pair) for pair in PAIRS])
def test_head_is_trained_and_not_quantised(workshop: Workshop, method: str, model: str) -> None:
    """In every arm the saved head has float weights that left their start."""
    folder = workshop.model(model)
    network = load_network(folder, job(folder), NetworkOptions())
    start = {
        name: value for name, value in network.module.named_parameters() if name.startswith(tuple(network.head_names))
    }
    saved: dict[str, torch.Tensor] = {}
    for path in (workshop.trained(method, model).folder / "artifact").glob("*.safetensors"):
        saved |= load_file(path)
    assert start
    for name, value in start.items():
        found = [tensor for key, tensor in saved.items() if key.removeprefix("base_model.model.") == name]
        assert len(found) == 1, f"{name} is not saved"
        assert found[0].dtype == torch.float32
        assert not torch.equal(found[0], value.detach())


@pytest.mark.parametrize("model", ["bert", "qwen2"])
def test_a_seed_gives_every_method_the_same_new_head(pretrained: Callable[[str], Path], model: str) -> None:
    def head(method: str, seed: int) -> torch.Tensor:
        module = adapted(method, pretrained(model), seed)
        weights = [
            value.detach()
            for name, value in module.named_parameters()
            if value.requires_grad and re.search(r"(classifier|score)\.(modules_to_save\.default\.)?weight$", name)
        ]
        assert len(weights) == 1
        return weights[0]

    first = head(TUNED[0], 3)
    assert all(torch.equal(first, head(method, 3)) for method in TUNED[1:])
    assert not torch.equal(first, head(TUNED[0], 4))


@pytest.mark.parametrize("family", ENCODERS)
def test_adapters_go_to_the_layers_alone(pretrained: Callable[[str], Path], family: str) -> None:
    """Every linear layer of the backbone's stack, and neither pooler nor head, nor a layer of the embeddings."""
    network = load_network(pretrained(family), job(pretrained(family)), NetworkOptions())
    linear = {name for name, child in network.module.named_modules() if isinstance(child, torch.nn.Linear)}
    outside = linear - set(network.linear_names)
    assert network.linear_names
    assert not any("pooler" in name or "classifier" in name for name in network.linear_names)
    assert all("pooler" in name or name.startswith(tuple(network.head_names)) for name in outside)
    module = build("lora", {}).adapt(network)
    wrapped = {name for name, child in module.named_modules() if hasattr(child, "lora_A")}
    assert {name.removeprefix("base_model.model.") for name in wrapped} == set(network.linear_names)
    assert all(
        value.requires_grad == ("lora_" in name or "modules_to_save" in name)
        for name, value in module.named_parameters()
    )


def test_four_bits_of_a_narrow_model_are_refused_on_a_cpu(pretrained: Callable[[str], Path]) -> None:
    """bitsandbytes 0.50 reads a matrix wrongly there whose rows do not fill whole blocks of 64."""
    with pytest.raises(Unavailable, match="multiple of 64"):
        adapted("qlora", pretrained("bert-narrow"))


def test_four_bits_hold_the_weights(pretrained: Callable[[str], Path]) -> None:
    """What the network computes with is within NF4's error (9 % of a normal matrix's norm) of what was loaded."""
    from bitsandbytes.functional import dequantize_4bit

    four_bit = dict(adapted("qlora", pretrained("mistral")).named_parameters())
    whole = dict(adapted("lora", pretrained("mistral")).named_parameters())
    packed = {name: value for name, value in four_bit.items() if getattr(value, "quant_state", None)}
    assert len(packed) == 14
    for name, value in packed.items():
        found = dequantize_4bit(value.data, value.quant_state)
        assert float((found - whole[name]).norm() / whole[name].norm()) < 0.12, name


def test_four_bits_still_learn_after_a_validation(
    pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor with AVX512-BF16, bitsandbytes 0.50 packs weights anew where it evaluates, and never back."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    module = adapted("qlora", pretrained("bert"))
    path = choose_forward(module, pad_token_id=0, device="cpu")
    rows = [torch.tensor([2, 5, 6, 3])]
    before = path.logits(rows).detach()
    module.eval()
    with torch.no_grad():
        assert torch.equal(path.logits(rows), before)
    module.train()
    path.logits(rows).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [value.grad for name, value in module.named_parameters() if "lora_B" in name]
    assert gradients
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients)


def answers_elsewhere(folders: Sequence[Path], bases: Path, texts: Sequence[str]) -> list[tuple[Any, list[str]]]:
    """Scores and label names of saved models in a process that has no Showdown, as their cards say."""
    program = Path(__file__).with_name("elsewhere.py")
    told = subprocess.run(
        [sys.executable, str(program)],
        input=json.dumps([[str(folder) for folder in folders], texts]),
        cwd=bases,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    return [(np.asarray(scores), names) for scores, names in json.loads(told.stdout.splitlines()[-1])]


def leaves_no_trace(artefact: Path, base: Path) -> None:
    """No file names a place of this machine, and no card is left to fill in."""
    assert json.loads((artefact / "labels.json").read_text()) == list(LABELS)
    assert (artefact / "tokenizer_config.json").is_file()
    for path in artefact.rglob("*"):
        content = path.read_bytes()
        assert str(base.parent).encode() not in content, path
        assert str(Path.home()).encode() not in content, path
        assert b"More Information Needed" not in content, path
    card = (artefact / "README.md").read_text()
    assert base.name in card
    assert "files:" in card or "no revision" in card


@pytest.mark.parametrize("second", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_saved_model_answers_the_same_elsewhere(workshop: Workshop, second: bool) -> None:
    """Of variants the first of their models, and the second where there is time."""
    pairs = [(name, model) for name, model in PAIRS if second == bool(marked([], name, model).marks)]
    runs = {pair: workshop.trained(*pair) for pair in pairs}
    artefacts = [run.folder / "artifact" for run in runs.values()]
    found = answers_elsewhere(artefacts, workshop.model("bert").parent, TEXTS)
    for ((method, model), run), artefact, (scores, names) in zip(runs.items(), artefacts, found, strict=True):
        leaves_no_trace(artefact, workshop.model(model))
        assert names == list(LABELS), (method, model)
        assert np.array_equal(scores.argmax(axis=1), run.answered.numbers.argmax(axis=1)), (method, model)
        if not build(method, {}).options.four_bit:
            np.testing.assert_allclose(scores, run.answered.numbers, atol=1e-5)
        learned = sum(path.stat().st_size for path in artefact.glob("*.safetensors")) / 1e6
        assert learned - 0.0005 <= run.stage.model_size_mb < learned + 0.01  # with a configuration, and rounded
        if (artefact / "adapter_config.json").is_file():
            assert json.loads((artefact / "adapter_config.json").read_text())["base_model_name_or_path"] == model


def test_a_model_on_embeddings_answers_the_same_elsewhere(workshop: Workshop, tmp_path: Path) -> None:
    fitted, arms = {}, [(name, model) for name in ON_EMBEDDINGS for model in BOTH]
    for name, model in arms:
        method = build(name, {})
        assert isinstance(method, FittedMethod)
        folder = tmp_path / f"{name}-{model}"
        folder.mkdir()
        asked = job(workshop.model(model))
        fitted[folder] = method.fit(separable_rows(12), asked, validation=separable_rows(6, start=12)).predictor
        method.save(fitted[folder], folder)
    found = answers_elsewhere(list(fitted), workshop.model("bert").parent, TEXTS)
    for (folder, predictor), (scores, _), (_, model) in zip(fitted.items(), found, arms, strict=True):
        np.testing.assert_allclose(scores, predictor.scores(TEXTS, batch_rows=4), atol=1e-5, err_msg=folder.name)
        leaves_no_trace(folder, workshop.model(model))
