"""A model by its configuration alone: a folder, a file, with a tokenizer or without, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from showdown.core.errors import UserError
from showdown.core.spec import ModelSpec
from showdown.models.described import DescribedModel


def described(place: Path) -> DescribedModel:
    return DescribedModel.of(ModelSpec(id=str(place)), weights=False)


@pytest.fixture
def bare(pretrained: Callable[[str], Path], tmp_path: Path) -> Path:
    """A folder with a configuration and nothing else."""
    shutil.copy(pretrained("bert") / "config.json", tmp_path)
    return tmp_path


def test_a_folder_without_weights_and_a_file_describe_the_same_model(
    pretrained: Callable[[str], Path], bare: Path
) -> None:
    whole = DescribedModel.of(ModelSpec(id=str(pretrained("bert"))))
    other = shutil.copy(bare / "config.json", bare / "tiny.json")
    for found in (described(bare), described(bare / "config.json"), described(Path(other))):
        assert found.tokenizer is None
        assert found.config.to_dict()["hidden_size"] == whole.config.to_dict()["hidden_size"]
        assert type(found.config) is type(whole.config)
    assert whole.tokenizer is not None


def test_weights_are_asked_for_where_something_runs(bare: Path) -> None:
    with pytest.raises(UserError, match="no safetensors weights"):
        DescribedModel.of(ModelSpec(id=str(bare)))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ('{"model_type": "unheard_of"}', "architecture `unheard_of`"),
        ("{}", "architecture `None`"),
        ('{"model_type": "bert", "hidden_size": "wide"}', "cannot be read"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "other.json"])
def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: str, why: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=why):
        _ = described(tmp_path / name).config


def test_places_without_a_configuration_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        described(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        described(tmp_path / "nothing.json")
    with pytest.raises(UserError, match="not the form of a Hugging Face id"):
        described(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("key", "written", "size"), [("dtype", "float32", 4), ("torch_dtype", "bfloat16", 2), ("dtype", None, 2)]
)
def test_bytes_of_a_stored_weight_follow_the_configuration(bare: Path, key: str, written: str, size: float) -> None:
    config = json.loads((bare / "config.json").read_text())
    kept = {name: value for name, value in config.items() if name not in ("dtype", "torch_dtype")}
    (bare / "config.json").write_text(json.dumps({**kept, key: written}))
    assert described(bare).stored_bytes_per_weight == size
