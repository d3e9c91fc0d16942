"""What every tuned method must do, on an encoder and on a decoder. A new line in the table is covered too."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from showdown.core.errors import Unavailable
from showdown.core.events import EventWriter
from showdown.core.method import FittedMethod, NetworkOptions, TunedMethod
from showdown.core.spec import DataSpec, ModelSpec, RunSpec, SharedProtocol
from showdown.core.split import SingleSplit
from showdown.core.task import Validation
from showdown.data.prepare import Prepared, prepare, write_prepared
from showdown.engine.forward import choose_forward
from showdown.engine.optim.settings import OptimizerSettings
from showdown.measure.memory import CpuMemory
from showdown.measure.phases import PhaseClock
from showdown.methods.table import METHODS, build, method_class
from showdown.models.network import load_network
from showdown.models.tokens import load_tokenizer
from showdown.stages.results import TrainStage
from showdown.stages.train import train_run
from showdown.tasks.classification.network import NetworkClassifier
from showdown.training.loop import train as run_loop
from showdown.training.run import TrainingRun
from tiny_pretrained import DECODERS, ENCODERS, LABELS, job, separable_rows, write_csv

TUNED = [name for name in METHODS if issubclass(method_class(name), TunedMethod)]
MODELS = ("bert", "mistral")
FAMILIES = [*ENCODERS, *DECODERS]
CASES = [(method, model) for method in TUNED for model in MODELS]
RANK = 8
ASKED = separable_rows(16, start=100).texts


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """84 rows, of which 60 train, prepared as a comparison prepares them."""
    folder = tmp_path_factory.mktemp("rows")
    source = write_csv(folder / "rows.csv", separable_rows(84))
    data = DataSpec(source=str(source), near_duplicate_jaccard=0.99)
    prepared: Prepared = prepare(data, SingleSplit())
    write_prepared(prepared, folder / "processed")
    return folder / "processed"


def spec(method: str, model: Path, **protocol: Any) -> RunSpec:
    cls = method_class(method)
    rate = {"learning_rate": 5e-3} if "learning_rate" in cls.Settings.model_fields else {}
    return RunSpec(
        name=method,
        method=method,
        settings=build(method, rate).settings.model_dump(),
        model=ModelSpec(id=str(model)),
        protocol=SharedProtocol(
            **{"dropout": 0.0, "epochs": 4, "patience_epochs": None, "effective_batch_rows": 12, **protocol}
        ),
        seed=0,
        data_fingerprint="none",
    )


@dataclass(frozen=True)
class Trained:
    folder: Path
    stage: TrainStage
    losses: list[float]
    scores: Any
    """Of the trained module, before it was saved."""


def train(spec: RunSpec, folder: Path, processed: Path) -> Trained:
    cls = method_class(spec.method)
    scores: list[Any] = []
    save = cls.save

    def score_and_save(self: Any, module: Any, into: Path) -> None:
        tokenizer = load_tokenizer(Path(spec.model.id))
        forward = choose_forward(module, pad_token_id=tokenizer.pad_token_id, device="cpu")
        module.eval()
        scores.append(NetworkClassifier(module, forward, tokenizer, 64).scores(ASKED, batch_rows=4))
        save(self, module, into)

    (folder / "spec.json").write_text(spec.model_dump_json())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cls, "save", score_and_save)
        train_run(spec, folder, processed, EventWriter(io.StringIO()))
    losses = json.loads((folder / "curve.json").read_text())["training"]["loss"]
    stage = TrainStage.model_validate_json((folder / "train.json").read_bytes())
    return Trained(folder=folder, stage=stage, losses=losses, scores=scores[0])


@pytest.fixture(scope="module")
def trained(
    pretrained: Callable[[str], Path], processed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Trained]:
    """Train a method on a model once for all tests."""
    done: dict[tuple[str, str], Trained] = {}

    def of(method: str, model: str) -> Trained:
        if (method, model) not in done:
            folder = tmp_path_factory.mktemp(f"{method}-{model}")
            epochs = 4 if model in MODELS else 3
            done[method, model] = train(spec(method, pretrained(model), epochs=epochs), folder, processed)
        return done[method, model]

    return of


@pytest.mark.parametrize(("method", "model"), CASES)
def test_learns(trained: Callable[[str, str], Trained], method: str, model: str) -> None:
    losses = trained(method, model).losses
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:2])


@pytest.mark.parametrize(("method", "model"), CASES)
def test_a_method_that_says_so_leaves_the_network_as_it_was(
    pretrained: Callable[[str], Path], method: str, model: str
) -> None:
    """What a training put on comes off again, and a network that is kept gets the head that a loaded one would."""
    chosen = build(method, {})
    assert isinstance(chosen, TunedMethod)

    def loaded(seed: int) -> Any:
        return load_network(pretrained(model), replace(job(pretrained(model)), seed=seed), chosen.options)

    network = loaded(0)
    module = chosen.adapt(network)
    with torch.no_grad():
        for value in module.parameters():
            if value.requires_grad:
                value.add_(1.0)
    stripped = chosen.strip(module)
    assert (stripped is not None) == chosen.leaves_network
    if stripped is not None:
        kept = replace(network, module=stripped)
        kept.redraw(1)
        expected, found = loaded(1).module.state_dict(), kept.module.state_dict()
        assert list(found) == list(expected)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("method", "model"), CASES)
def test_gradient_does_not_depend_on_accumulation(pretrained: Callable[[str], Path], method: str, model: str) -> None:
    """Accumulated over 1, 3 and 12 micro-batches, the first gradient is the same."""
    norms = [first_gradient_norm(pretrained(model), method, micro_rows=12 // parts) for parts in (1, 3, 12)]
    assert norms[0] > 0
    assert norms[1:] == pytest.approx([norms[0]] * 2, rel=1e-5)


def first_gradient_norm(folder: Path, method: str, *, micro_rows: int) -> float:
    asked = job(folder, dropout=0.0, epochs=1, effective_batch_rows=12)
    module = adapted(method, folder)
    tokenizer = load_tokenizer(folder)
    encoded = asked.task.encode(tokenizer, separable_rows(12), 64)
    progress = run_loop(
        TrainingRun(
            task=asked.task,
            module=module,
            forward=choose_forward(module, pad_token_id=tokenizer.pad_token_id, device="cpu"),
            train=encoded,
            validation_targets=encoded.targets,
            validate=lambda: Validation(score=0.0, loss=0.0, values={"accuracy": 0.0, "true_label_probability": 0.0}),
            protocol=asked.protocol,
            micro_batch_rows=micro_rows,
            step=OptimizerSettings(weight_decay=asked.protocol.weight_decay),
            learning_rate=1e-3,
            seed=0,
            device="cpu",
            clock=PhaseClock(CpuMemory()),
            checkpoints=None,
            watcher=EventWriter(io.StringIO()),
        )
    )
    return progress.curve["gradient_norm"][0]


def adapted(name: str, folder: Path, seed: int = 0) -> Any:
    method = build(name, {})
    assert isinstance(method, TunedMethod)
    asked = replace(job(folder, dropout=0.0), seed=seed)
    torch.manual_seed(seed)
    return method.adapt(load_network(folder, asked, method.options))


@pytest.mark.parametrize(("method", "model"), CASES)
def test_trainable_parameters_are_what_the_formula_gives(
    trained: Callable[[str, str], Trained], pretrained: Callable[[str], Path], method: str, model: str
) -> None:
    """LoRA: the sum of r (in + out) over the linear layers, and the head; DoRA one magnitude an output more."""
    network = load_network(pretrained(model), job(pretrained(model)), NetworkOptions())
    modules = dict(network.module.named_modules())
    whole = sum(parameter.numel() for parameter in network.module.parameters())
    head = sum(value.numel() for name in network.head_names for value in modules[name].parameters())
    layers = [modules[name] for name in network.linear_names]
    adapters = sum(RANK * (layer.in_features + layer.out_features) for layer in layers)
    magnitudes = sum(layer.out_features for layer in layers)
    expected = {
        "full": (whole, whole),
        "lora": (adapters + head, whole + adapters),
        "qlora": (adapters + head, whole + adapters),
        "dora": (adapters + magnitudes + head, whole + adapters + magnitudes),
    }
    if method not in expected:
        pytest.skip(f"no formula is written down for {method}")
    stage = trained(method, model).stage
    assert (stage.trainable_parameters, stage.total_parameters) == expected[method]


@pytest.mark.parametrize(("method", "model"), CASES)
def test_head_is_trained_and_not_quantised(
    trained: Callable[[str, str], Trained], pretrained: Callable[[str], Path], method: str, model: str
) -> None:
    """In every arm the saved head has float weights that left their start."""
    folder = pretrained(model)
    network = load_network(folder, job(folder), NetworkOptions())
    start = {
        name: value for name, value in network.module.named_parameters() if name.startswith(tuple(network.head_names))
    }
    saved: dict[str, torch.Tensor] = {}
    for path in (trained(method, model).folder / "artifact").glob("*.safetensors"):
        saved |= load_file(path)
    assert start
    for name, value in start.items():
        found = [tensor for key, tensor in saved.items() if key.removeprefix("base_model.model.") == name]
        assert len(found) == 1, f"{name} is not saved"
        assert found[0].dtype == torch.float32
        assert not torch.equal(found[0], value.detach())


@pytest.mark.parametrize("model", MODELS)
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


RELOAD = """
import json, sys
from pathlib import Path
import numpy as np
from showdown.core.spec import RunSpec
from showdown.stages.artifact import open_predictor
folders, texts, labels = json.loads(sys.stdin.read())
for folder in map(Path, folders):
    spec = RunSpec.model_validate_json((folder / "spec.json").read_bytes())
    scores = open_predictor(spec, tuple(labels), folder / "artifact").answer(texts, batch_rows=4)
    np.save(folder / "scores.npy", scores)
"""


OTHERS = [(method, family) for method in ("full", "lora", "qlora") for family in FAMILIES if family not in MODELS]


@pytest.mark.parametrize(("method", "family"), OTHERS)
def test_every_family_learns(trained: Callable[[str, str], Trained], method: str, family: str) -> None:
    losses = trained(method, family).losses
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:2])


def test_a_fresh_process_answers_the_same(trained: Callable[[str, str], Trained]) -> None:
    """Save and reload: equal scores; from a four-bit backbone equal labels. On every family."""
    runs = {case: trained(*case) for case in [*CASES, *OTHERS]}
    asked = json.dumps([[str(run.folder) for run in runs.values()], ASKED, LABELS])
    subprocess.run([sys.executable, "-c", RELOAD], input=asked, text=True, check=True, timeout=280)
    for (method, model), run in runs.items():
        after = np.load(run.folder / "scores.npy")
        assert np.array_equal(run.scores.argmax(axis=1), after.argmax(axis=1)), (method, model)
        if not build(method, {}).options.four_bit:
            assert np.array_equal(run.scores, after), (method, model)


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


def test_a_saved_model_answers_the_same_elsewhere(
    trained: Callable[[str, str], Trained], pretrained: Callable[[str], Path]
) -> None:
    runs = {case: trained(*case) for case in CASES}
    artefacts = [run.folder / "artifact" for run in runs.values()]
    found = answers_elsewhere(artefacts, pretrained("bert").parent, ASKED)
    for ((method, model), run), artefact, (scores, names) in zip(runs.items(), artefacts, found, strict=True):
        leaves_no_trace(artefact, pretrained(model))
        assert names == list(LABELS), (method, model)
        assert np.array_equal(scores.argmax(axis=1), run.scores.argmax(axis=1)), (method, model)
        if not build(method, {}).options.four_bit:
            np.testing.assert_allclose(scores, run.scores, atol=1e-5)
        learned = sum(path.stat().st_size for path in artefact.glob("*.safetensors")) / 1e6
        assert learned < run.stage.model_size_mb < learned + 0.01  # with a configuration, without the companions
        if (artefact / "adapter_config.json").is_file():
            assert json.loads((artefact / "adapter_config.json").read_text())["base_model_name_or_path"] == model


@pytest.mark.parametrize("model", MODELS)
def test_frozen_answers_the_same_elsewhere(pretrained: Callable[[str], Path], tmp_path: Path, model: str) -> None:
    method = build("frozen", {})
    assert isinstance(method, FittedMethod)
    fitted = method.fit(separable_rows(12), job(pretrained(model))).classifier
    method.save(fitted, tmp_path)
    ((scores, _),) = answers_elsewhere([tmp_path], pretrained(model).parent, ASKED)
    np.testing.assert_allclose(scores, fitted.scores(ASKED, batch_rows=4), atol=1e-5)
    leaves_no_trace(tmp_path, pretrained(model))
