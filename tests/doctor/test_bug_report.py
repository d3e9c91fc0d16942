"""`showdown doctor --report` says nothing of who or where you are."""

import platform
from pathlib import Path

import pytest

import showdown.doctor.bug_report
import showdown.doctor.machine
from showdown.doctor.bug_report import bug_report, without_secrets
from showdown.doctor.check import Group, ok


@pytest.mark.parametrize(
    "secret",
    [
        "hf_abcdefghijklmnopqrstuvwxyz",
        "sk-abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrstuv",
        "0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_tokens_are_taken_out_wherever_they_stand(secret: str) -> None:
    assert without_secrets(f"before {secret} after", {}) == "before *** after"


def test_values_of_secret_variables_and_logins_are_taken_out() -> None:
    variables = {
        "HF_TOKEN": "swordfish",
        "WANDB_API_KEY": "opensesame",
        "MLFLOW_TRACKING_URI": "https://internal.example/path",
        "DB_PASSWORD": "xy",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    text = "swordfish opensesame https://internal.example/path xylophone 0 http://me:pass@proxy.example/x"
    assert without_secrets(text, variables) == "*** *** *** xylophone 0 http://***@proxy.example/x"


def test_names_of_user_machine_and_folders_are_taken_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "ada"
    (home / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "work")
    monkeypatch.setattr("socket.gethostname", lambda: "deepthought")
    text = f"{home}/.cache/x {home}/work/data.csv deepthought ada lovelace canada deepthought-2"
    found = without_secrets(text, {"USER": "lovelace"})
    assert found == "~/.cache/x FOLDER/data.csv HOST USER USER canada deepthought-2"


def test_the_whole_text_names_versions_and_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted_secret_value")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "hf_planted_secret_value")
    monkeypatch.setattr(showdown.doctor.machine, "LOAD_SECONDS", 0.0)
    planted = Group(title="Planted", checks=[ok("place", f"{Path.home()}/x at {platform.node()}")])
    monkeypatch.setattr(showdown.doctor.bug_report, "examine", lambda: [planted])
    text = bug_report()
    assert text.splitlines()[0].startswith("showdown ")
    assert text.splitlines()[1].startswith("commit: ")
    assert f"Python {platform.python_implementation()} {platform.python_version()}" in text
    assert "CUDA_VISIBLE_DEVICES=***" in text
    for secret in ("planted_secret", f"{Path.home()}/x", f"at {platform.node()}\n"):
        assert secret not in text
    assert "~/x at HOST" in text
