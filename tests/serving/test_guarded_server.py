"""Who may ask: with a token those who know it, without one only programs of this machine."""

import re
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from serving.serving_models import HOST, client_of, label_model
from showdown import api
from showdown.core.errors import UserError
from showdown.serving.address import bound_socket, is_loopback, own_hosts, start_listening, url_of
from showdown.serving.token import VARIABLE, allows, read_token

TOKEN = "0123456789abcdef0123"


def test_a_token_is_needed_for_answers_and_metrics_and_not_for_health() -> None:
    with client_of(label_model(), token=TOKEN, hosts=[]) as (client, _):
        for header in (None, "", TOKEN, f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer é"):
            headers = {} if header is None else {"authorization": header.encode()}
            for found in (
                client.post("/predict", json={"text": "a"}, headers=headers),
                client.get("/metrics", headers=headers),
                client.get("/anything", headers=headers),
            ):
                assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
            assert client.get("/health", headers=headers).json() == {"ready": True}
        right = {"authorization": f"Bearer {TOKEN}"}
        assert client.post("/predict", json={"text": "a"}, headers=right).status_code == 200
        assert client.get("/metrics", headers=right).status_code == 200
        assert client.get("/health", headers=right).json()["model"]["labels"] == ["a", "b", "c"]


def test_a_body_is_not_read_before_the_token_is_known() -> None:
    with client_of(label_model(), token=TOKEN, body_bytes=10) as (client, _):
        assert client.post("/predict", json={"text": "a" * 100}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8001", ""])
def test_without_a_token_another_host_name_is_refused(host: str) -> None:
    with client_of(label_model()) as (client, _):
        for path in ("/health", "/metrics", "/docs", "/openapi.json"):
            assert client.get(path, headers={"host": host}).status_code == 403
        assert client.post("/predict", json={"text": "a"}, headers={"host": host}).status_code == 403
        assert client.get("/health", headers={"host": HOST}).status_code == 200


def test_health_names_model_and_versions() -> None:
    with client_of(label_model()) as (client, _):
        found = client.get("/health").json()
    assert found["ready"] is True
    assert found["model"] == {
        "name": "lengths",
        "task": "classification",
        "labels": ["a", "b", "c"],
        "score_kind": "probability",
    }
    assert {"python", "torch", "finetuning-showdown"} <= set(found["versions"])


def test_the_page_needs_nothing_from_outside_and_describes_every_path() -> None:
    with client_of(label_model()) as (client, _):
        page = client.get("/docs").text
        sources = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert sources
        for source in sources:
            assert source.startswith("/"), source
            assert client.get(source).status_code == 200
        described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/health", "/metrics"}
    answers = set(described["paths"]["/predict"]["post"]["responses"])
    assert {"200", "401", "408", "413", "422", "429", "500", "503", "504"} <= answers
    assert "texts" in described["components"]["schemas"]["LabelRequest"]["properties"]
    assert "securitySchemes" not in described["components"]


def test_the_page_can_be_given_the_token() -> None:
    with client_of(label_model(), token=TOKEN) as (client, _):
        described = client.get("/openapi.json").json()
    (scheme,) = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    secured = {path for path, asked in described["paths"].items() if any("security" in one for one in asked.values())}
    assert secured == {"/predict", "/metrics"}


def test_metrics_are_in_the_form_of_prometheus() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with client_of(label_model()) as (client, _):
        client.post("/predict", json={"texts": ["a", "bb"]})
        found = client.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(found.text)}
    assert {"showdown_requests", "showdown_batch_seconds", "showdown_waiting_rows"} <= set(families)
    assert families["showdown_model_info"].samples[0].labels["name"] == "lengths"
    (rows,) = [one.value for one in families["showdown_batch_rows"].samples if one.name.endswith("_sum")]
    assert rows == 2


def test_the_token_is_that_of_the_file_or_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_token(None) is None
    monkeypatch.setenv(VARIABLE, TOKEN)
    assert read_token(None) == TOKEN
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}-of-the-file\n")
    (tmp_path / "link").symlink_to(file)
    assert read_token(file) == read_token(tmp_path / "link") == f"{TOKEN}-of-the-file"
    assert allows(TOKEN, f"bearer {TOKEN}")
    assert not allows(TOKEN, None)


@pytest.mark.parametrize("written", ["", "short", "0123456789abcdef é", "two words that are long"])
def test_a_token_that_is_none_is_refused_without_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    (tmp_path / "token").write_text(written)
    monkeypatch.setenv(VARIABLE, written)
    for file in (tmp_path / "token", None):
        with pytest.raises(
            UserError, match=r"no word of 16 or more ASCII characters; make one with `openssl"
        ) as caught:
            read_token(file)
        assert not written or written not in str(caught.value)
    with pytest.raises(UserError, match="No such file or directory; name a file with the token alone"):
        read_token(tmp_path / "missing")


def test_addresses_of_this_machine() -> None:
    with bound_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert is_loopback(listening)
        assert url_of(listening) == f"http://127.0.0.1:{port}"
        assert f"localhost:{port}" in own_hosts(listening)
        with bound_socket("127.0.0.1", port) as second:  # nobody listens yet
            start_listening(listening)
            taken = f"port {port} of 127.0.0.1 cannot be had .* choose another with --port"
            with pytest.raises(UserError, match=taken):
                start_listening(second)
            with pytest.raises(UserError, match=taken):
                bound_socket("127.0.0.1", port)
    with bound_socket("0.0.0.0", 0) as everywhere:
        assert not is_loopback(everywhere)
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1: not an address of this machine"):
        bound_socket("192.0.2.1", 0)
    with pytest.raises(UserError, match="no such address"):
        bound_socket("no such host", 0)


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        (("127.0.0.1", 8000), {"127.0.0.1:8000", "localhost:8000", "[::1]:8000"}),
        (("127.0.0.2", 8000), {"127.0.0.2:8000", "127.0.0.1:8000", "localhost:8000", "[::1]:8000"}),
        (("::1", 80), {"127.0.0.1:80", "localhost:80", "[::1]:80", "127.0.0.1", "localhost", "[::1]"}),
    ],
)
def test_names_of_a_server(address: tuple[str, int], hosts: set[str]) -> None:
    listening: Any = SimpleNamespace(getsockname=lambda: address)
    assert own_hosts(listening) == hosts


def test_other_machines_need_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match=r"--host 0\.0\.0\.0 lets other machines ask: give a token"):
        api.serve(tmp_path, host="0.0.0.0", port=0)
    monkeypatch.setenv(VARIABLE, TOKEN)
    with pytest.raises(UserError, match="is no saved model"):
        api.serve(tmp_path, host="0.0.0.0", port=0)


def test_a_package_that_is_missing_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def found(name: str) -> Any:
        return None if name == "uvicorn" else object()

    monkeypatch.setattr("importlib.util.find_spec", found)
    with pytest.raises(UserError, match=r"a server needs uvicorn; .* 'finetuning-showdown\[serve\]'"):
        api.serve(tmp_path)


def test_a_taken_port_is_found_before_the_model_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="cannot be had"):
            api.serve(tmp_path, port=taken.getsockname()[1])
