"""Weights are opened by name as safetensors, whole, and as they were when the comparison began; or not at all."""

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from canary import canary
from showdown.core.errors import UserError
from showdown.core.method import FittedMethod, NetworkOptions, TunedMethod
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.table import build
from showdown.models import folder as model_folder
from showdown.models.embedding import Embedder
from showdown.models.folder import fingerprint, weight_files
from showdown.models.network import load_network, load_saved_network
from showdown.models.source import locate, pin
from showdown.stages.artifact import open_predictor
from showdown.tasks.generation.task import Generation
from tiny_pretrained import LABELS, job, separable_rows

Pretrained = Callable[[str], Path]
INDEX = "model.safetensors.index.json"


@pytest.fixture
def model(pretrained: Pretrained, tmp_path: Path) -> Path:
    return shutil.copytree(pretrained("bert"), tmp_path / "model")


def in_shards(folder: Path) -> dict[str, str]:
    """Take a model's weights apart into two files with an index, and return what the index says."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    halves = {"model-1.safetensors": names[: len(names) // 2], "model-2.safetensors": names[len(names) // 2 :]}
    for file, half in halves.items():
        save_file({name: tensors[name] for name in half}, folder / file, metadata={"format": "pt"})
    index = {name: file for file, half in halves.items() for name in half}
    write_index(folder, index)
    return index


def write_index(folder: Path, index: Any) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}))


def openers(folder: Path) -> list[Callable[[], Any]]:
    """Everything that opens a network of a folder."""
    return [
        lambda: pin(ModelSpec(id=str(folder))),
        lambda: locate(ModelSpec(id=str(folder))),
        lambda: load_saved_network(folder, job(folder)),
    ]


def refused(folder: Path, message: str) -> None:
    for opener in openers(folder):
        with pytest.raises(UserError, match=message) as caught:
            opener()
        assert "\n" not in str(caught.value)


def test_shards_are_opened_and_counted(model: Path) -> None:
    whole = load_network(model, job(model), NetworkOptions()).module.state_dict()
    in_shards(model)
    locate(ModelSpec(id=str(model)))
    assert [path.name for path in weight_files(model, "m")] == ["model-1.safetensors", "model-2.safetensors"]
    found = load_network(model, job(model), NetworkOptions()).module.state_dict()
    assert all(torch.equal(found[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "model.pt",
        "../outside.safetensors",
        "/tmp/x.safetensors",
        "a/b.safetensors",
        ".safetensors",
    ],
)
def test_an_index_names_safetensors_beside_it_alone(model: Path, tmp_path: Path, name: str) -> None:
    index = in_shards(model)
    file = model / name
    if not name.startswith(("/", ".")):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(canary(tmp_path / "sung"))
    write_index(model, {**index, next(iter(index)): name})
    refused(model, rf"names `{name}`, which is no safetensors file beside it; pickled weights are never loaded")
    assert not (tmp_path / "sung").exists()


@pytest.mark.parametrize("place", ["top", "within"])
@pytest.mark.parametrize("name", ["adapter_model.bin", "model.safetensors", "other.safetensors.index.json"])
def test_a_configuration_names_no_weights(model: Path, tmp_path: Path, place: str, name: str) -> None:
    (model / "adapter_model.bin").write_bytes(canary(tmp_path / "sung"))
    config = json.loads((model / "config.json").read_text())
    named = {"transformers_weights": name}
    (model / "config.json").write_text(json.dumps({**config, **(named if place == "top" else {"text_config": named})}))
    refused(model, r"config\.json names a file of weights \(`transformers_weights`\).*Remove that key")
    assert not (tmp_path / "sung").exists()


def without_a_shard(folder: Path) -> None:
    in_shards(folder)
    (folder / "model-2.safetensors").unlink()


def with_a_cut_shard(folder: Path) -> None:
    in_shards(folder)
    path = folder / "model-2.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def with_a_shard_that_lacks_a_tensor(folder: Path) -> None:
    index = in_shards(folder)
    tensors = load_file(folder / "model-1.safetensors")
    tensors.pop(next(name for name, file in index.items() if file == "model-1.safetensors"))
    save_file(tensors, folder / "model-1.safetensors")


def with_a_torn_index(folder: Path) -> None:
    in_shards(folder)
    (folder / INDEX).write_text('{"weight_map": {')


def with_an_empty_index(folder: Path) -> None:
    in_shards(folder)
    write_index(folder, {})


def with_an_index_that_is_a_list(folder: Path) -> None:
    in_shards(folder)
    (folder / INDEX).write_text("[]")


def consolidated(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")


def an_adapter(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")


def with_an_endless_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")


def with_a_header_that_is_a_list(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"[]")


def with_a_deep_configuration(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def with_a_configuration_that_is_a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (without_a_shard, r"model-2\.safetensors is missing in .*, and model\.safetensors\.index\.json names it"),
        (with_a_cut_shard, r"model-2\.safetensors is cut short or no safetensors file"),
        (with_a_shard_that_lacks_a_tensor, r"model-1\.safetensors lacks `.*`, which .* says it holds"),
        (with_a_torn_index, r"index\.json is no index of weights"),
        (with_an_empty_index, r"index\.json names no weights"),
        (with_an_index_that_is_a_list, r"index\.json is no index of weights"),
        (consolidated, r"consolidated\.safetensors is in a layout of its own; download model\.safetensors"),
        (an_adapter, r"it holds an adapter alone; merge it into its base"),
        (with_an_endless_header, r"model\.safetensors is cut short or no safetensors file"),
        (with_a_header_that_is_a_list, r"model\.safetensors is cut short or no safetensors file"),
        (with_a_deep_configuration, r"config\.json is not JSON"),
        (with_a_configuration_that_is_a_list, r"config\.json is no JSON object"),
    ],
)
def test_all_weights_are_looked_at_before_anything_runs(
    model: Path, harm: Callable[[Path], None], message: str
) -> None:
    harm(model)
    refused(model, message)


def test_an_adapter_without_its_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="it holds an adapter alone; merge it into its base"):
        locate(ModelSpec(id=str(tmp_path)))


def test_a_layer_that_the_weights_lack_is_not_drawn_at_random(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    tensors.pop("encoder.layer.1.output.dense.weight")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 tensors of its layers, among them `bert\.encoder\.layer\.1\.output"):
        load_network(model, job(model), NetworkOptions())


def saved(method: str, base: Path, folder: Path, *, seed: int = 0) -> tuple[TunedMethod, Path]:
    """A method's artefact on a base, its weights moved away from where they began."""
    built = build(method, {})
    assert isinstance(built, TunedMethod)
    torch.manual_seed(seed)
    module = built.adapt(load_network(base, job(base), built.options))
    with torch.no_grad():
        for value in module.parameters():
            if value.requires_grad:
                value.add_(0.1 * torch.randn_like(value))
    folder.mkdir()
    built.save(module, folder)
    return built, folder


def test_an_output_layer_that_the_weights_lack_is_not_drawn_at_random(pretrained: Pretrained, tmp_path: Path) -> None:
    """Unless its weight is the embedding's: no file holds that twice."""
    folder = shutil.copytree(pretrained("llama"), tmp_path / "model")
    asked = replace(job(folder), task=Generation(), labels=())
    tensors = load_file(folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"its weights lack 1 tensors of its layers, among them `lm_head\.weight`"):
        load_network(folder, asked, NetworkOptions())
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"tie_word_embeddings": True}))
    module: Any = load_network(folder, asked, NetworkOptions()).module
    assert module.lm_head.weight is module.model.embed_tokens.weight


def test_an_adapter_beside_a_merged_model_is_let_lie(model: Path, tmp_path: Path) -> None:
    """transformers puts it onto the network, and then saves the adapter alone."""
    before = load_network(model, job(model), NetworkOptions()).module.state_dict()
    embedded = Embedder(model, job(model)).embed(["oven dough"], batch_rows=1)
    _, adapter = saved("lora", model, tmp_path / "adapter")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, model / name)
    found = load_network(model, job(model), NetworkOptions()).module
    assert list(found.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in found.state_dict().items())
    assert (Embedder(model, job(model)).embed(["oven dough"], batch_rows=1) == embedded).all()
    full, artefact = saved("full", model, tmp_path / "full")
    again = full.reload(artefact, lambda folder: load_saved_network(folder or model, job(model)))
    expected = load_file(artefact / "model.safetensors")
    assert all(torch.equal(value, expected[name]) for name, value in again.state_dict().items() if name in expected)
    assert len(expected) == len(list(again.parameters()))


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_an_adapter_is_read_from_safetensors_alone(model: Path, tmp_path: Path, method: str) -> None:
    built, artefact = saved(method, model, tmp_path / "artefact")

    def load(_: Path | None) -> Any:
        return load_network(model, job(model), built.options)

    (artefact / "adapter_config.json").write_bytes(canary(tmp_path / "sung"))  # nothing is read from it
    before = {name: value.clone() for name, value in load_file(artefact / "adapter_model.safetensors").items()}
    module = built.reload(artefact, load)
    held = {name.replace(".default", ""): value for name, value in module.state_dict().items()}
    held = {name.replace(".modules_to_save", ""): value for name, value in held.items()}
    assert all(torch.equal(value, held[name]) for name, value in before.items() if "magnitude" not in name)
    (artefact / "adapter_model.bin").write_bytes(canary(tmp_path / "sung"))
    (artefact / "adapter_model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"adapter_model\.safetensors"):
        built.reload(artefact, load)
    assert not (tmp_path / "sung").exists()


def test_an_adapter_that_lacks_a_weight_or_has_one_too_many_is_refused(model: Path, tmp_path: Path) -> None:
    built, artefact = saved("lora", model, tmp_path / "artefact")
    path = artefact / "adapter_model.safetensors"
    whole = load_file(path)
    name = next(iter(whole))
    for tensors in ({key: whole[key] for key in whole if key != name}, {**whole, f"{name}.more": whole[name].clone()}):
        save_file(tensors, path)
        with pytest.raises(ValueError, match="does not fit this method and model"):
            built.reload(artefact, lambda _: load_network(model, job(model), built.options))


def changed_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def changed_configuration(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.5}))


def changed_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"oven"', '"nevo"'))


def opened(method: str, base: ModelSpec, artefact: Path, **settings: str) -> Any:
    return open_predictor(run_spec(method, base, **settings), LABELS, artefact)


def run_spec(method: str, base: ModelSpec, **settings: str) -> RunSpec:
    return RunSpec(
        name=method,
        method=method,
        settings=build(method, settings).settings.model_dump(),
        model=base,
        protocol=SharedProtocol(),
        seed=0,
        data_fingerprint="none",
    )


def fitted(method: str, base: ModelSpec, artefact: Path, **settings: str) -> None:
    """Make a method's artefact."""
    built = build(method, settings)
    if isinstance(built, TunedMethod):
        saved(method, Path(base.id), artefact)
        return
    assert isinstance(built, FittedMethod)
    asked = replace(job(Path(base.id)), model=base)
    artefact.mkdir()
    built.save(built.fit(separable_rows(12), asked, validation=separable_rows(6, start=12)).predictor, artefact)


CHANGES = [changed_weights, changed_configuration, changed_tokenizer]


@pytest.mark.parametrize("method", ["lora", "frozen", "zero-shot"])
def test_a_base_that_was_changed_after_the_run_answers_nothing(model: Path, tmp_path: Path, method: str) -> None:
    base = pin(ModelSpec(id=str(model)))
    fitted(method, base, tmp_path / "artefact")
    opened(method, base, tmp_path / "artefact")
    for number, change in enumerate(CHANGES):
        kept = shutil.copytree(model, tmp_path / f"kept-{number}")
        change(model)
        with pytest.raises(UserError, match=r"put the files back that it had then, or run the comparison again"):
            opened(method, base, tmp_path / "artefact")
        shutil.rmtree(model)
        shutil.copytree(kept, model)
    opened(method, base, tmp_path / "artefact")


def test_a_model_of_zero_shots_own_is_pinned_too(pretrained: Pretrained, model: Path, tmp_path: Path) -> None:
    base = pin(ModelSpec(id=str(pretrained("bert"))))
    fitted("zero-shot", base, tmp_path / "artefact", model=str(model))
    opened("zero-shot", base, tmp_path / "artefact", model=str(model))
    changed_weights(model)
    with pytest.raises(UserError, match=r"put the files back that it had then, or run the comparison again"):
        opened("zero-shot", base, tmp_path / "artefact", model=str(model))


def test_a_large_file_is_read_at_the_beginning_of_each_tensor(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folder, "_READ_WHOLE_BYTES", 1000)
    monkeypatch.setattr(model_folder, "_SAMPLE_BYTES", 16)
    path = model / "model.safetensors"
    before, tensors = fingerprint(model), load_file(path)
    for name, value in tensors.items():
        value.view(-1)[0] += 1.0
        save_file(tensors, path, metadata={"format": "pt"})
        assert fingerprint(model) != before, name
        value.view(-1)[0] -= 1.0
    (model / "notes.txt").write_text("no part of the model")
    save_file(load_file(path), path, metadata={"format": "pt"})
    shutil.copytree(model, model.parent / "elsewhere")
    assert fingerprint(model.parent / "elsewhere") == fingerprint(model)
