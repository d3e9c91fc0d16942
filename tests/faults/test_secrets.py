"""Fifty secrets in the environment and in files that are read stay out of everything that is written or said."""

import json
import secrets
from pathlib import Path

import pytest

from forked_cli import showdown
from showdown.config.read import read_comparison
from showdown.core.errors import UserError
from tiny_pretrained import separable_rows, write_csv

NAMES = (
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_URI"),
    *("AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "GOOGLE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"),
    *("GITHUB_TOKEN", "DATABASE_URL", "SSH_AUTH_SOCK", "NETRC", "PGPASSWORD", "http_proxy", "PIP_INDEX_URL"),
    *(f"MY_SECRET_{number}" for number in range(33)),
)


def test_no_secret_of_the_environment_is_in_any_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(NAMES) == 50
    planted = {name: f"http://u:{secrets.token_hex(12)}@127.0.0.1:9" for name in NAMES}
    write_csv(tmp_path / "rows.csv", separable_rows(60))
    comparison = {
        "data": {"source": "rows.csv", "near_duplicate_jaccard": 0.99},
        "methods": {"majority": {}, "broken": {"method": "zero-shot", "model": "nobody/nothing"}},
        "protocol": {"split": {"kind": "single"}},
        "trackers": ["tensorboard"],
    }
    (tmp_path / "mine.yaml").write_text(json.dumps(comparison))
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    said = ""
    for arguments in (["run", "mine.yaml", "--output", "out"], ["report", "out", "--format", "html"], ["sync", "out"]):
        found = showdown(*arguments, folder=tmp_path)
        assert "Traceback" not in found.stderr
        said += found.stdout + found.stderr
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 15
    for content in (said.encode(), *(path.read_bytes() for path in written)):
        for value in planted.values():
            assert value.encode() not in content
            assert value[9:33].encode() not in content


@pytest.mark.parametrize(
    ("yaml", "override"),
    [
        ("methods: {lora: {}}\nhf_token: SECRET\n", None),
        ("methods: {lora: {}}\nmodel: {token: SECRET}\n", None),
        ("methods: {lora: {api_key: SECRET}}\n", None),
        ("methods: {lora: {}}\ntrackers: {wandb: SECRET}\n", "wandb.key=SECRET"),
        ("methods: {lora: {}}\n", "model.password=SECRET"),
        ("methods: {lora: {}}\n", "methods.lora.token=SECRET"),
    ],
)
def test_a_secret_where_no_key_is_for_one_is_not_repeated(tmp_path: Path, yaml: str, override: str | None) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.replace("SECRET", "hf_abcdef0123"))
    with pytest.raises(UserError) as caught:
        asked = [override.replace("SECRET", "hf_abcdef0123")] if override else []
        read_comparison(path, base={}, overrides=asked)
    assert "hf_abcdef0123" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://me:pass@host/x.csv", "s3://key:pass@bucket/a", "hf://user:pass@a/b"])
def test_a_password_in_an_address_is_not_repeated(tmp_path: Path, address: str) -> None:
    found = showdown("run", address, "--output", "out", folder=tmp_path)
    assert found.returncode == 2
    assert "pass" not in found.stderr + found.stdout
    assert not (tmp_path / "out" / "comparison.json").exists()
