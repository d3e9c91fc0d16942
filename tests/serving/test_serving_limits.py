"""Each limit of a server refuses what is beyond it with its status, and lets through what is within."""

import asyncio
import logging
from typing import Any

import pytest

from serving.serving_models import HOST, SECRET, Lengths, client_of, label_model, writer_model
from showdown.serving.app import Service
from showdown.serving.body import BodyLimit
from showdown.serving.limits import Limits


def test_rows_of_a_request() -> None:
    with client_of(label_model(), rows=2) as (client, _):
        assert client.post("/predict", json={"texts": ["a", "b"]}).status_code == 200
        found = client.post("/predict", json={"texts": ["a", "b", "c"]})
    assert (found.status_code, found.json()["detail"]) == (
        422,
        "`texts` has 3 rows; at most 2 are answered in a request",
    )


def test_characters_of_a_text_and_of_a_chat() -> None:
    with client_of(label_model(), characters=5) as (client, _):
        assert client.post("/predict", json={"text": "abcde"}).status_code == 200
        found = client.post("/predict", json={"texts": ["a", "abcdef"]})
        assert (found.status_code, found.json()["detail"]) == (422, "texts[1] has 6 characters; at most 5 are read")
    chat = [{"role": "system", "content": "abc"}, {"role": "user", "content": "def"}]
    with client_of(writer_model(), characters=5) as (client, _):
        assert client.post("/predict", json={"prompt": chat}).json()["detail"].startswith("prompt has 6 characters")


@pytest.mark.parametrize("announced", [True, False])
def test_bytes_of_a_body(announced: bool) -> None:
    small, large = b'{"text": "a"}', b'{"text": "' + b"a" * 100 + b'"}'
    with client_of(label_model(), body_bytes=50) as (client, _):
        for body, status in ((small, 200), (large, 413)):
            content = body if announced else iter([body[:5], body[5:]])
            found = client.post("/predict", content=content, headers={"content-type": "application/json"})
            assert found.status_code == status
    assert found.json()["detail"] == "the body is larger than 50 bytes; send fewer texts in a request"
    assert found.headers["connection"] == "close"


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    with client_of(label_model(), start=False, queue_rows=2, rows=2, timeout_seconds=0.05) as (client, service):
        waiting = service.queue.put(["a"], [1])
        found = client.post("/predict", json={"texts": ["a", "b"]})
        assert (found.status_code, found.headers["retry-after"]) == (429, "1")
        assert found.json()["detail"] == "the queue is full; try again in 1 s"
        waiting.given_up = True
        assert client.post("/predict", json={"texts": ["a", "b"]}).status_code == 504


def test_a_request_without_an_answer_ends_and_leaves_the_queue() -> None:
    lengths = Lengths()
    with client_of(label_model(lengths), start=False, timeout_seconds=0.05) as (client, service):
        found = client.post("/predict", json={"texts": ["a", "bb"]})
        assert found.status_code == 504
        assert found.json()["detail"] == "no answer within 0.05 s; ask for fewer rows at a time"
        service.start(lambda: None)
        assert service.queue.put(["ccc"], [1]).future.result(10)
        service.finish(10)
    assert lengths.batches[-1] == ["ccc"]
    assert ["a", "bb"] not in lengths.batches


def test_a_server_that_ends_takes_no_rows() -> None:
    with client_of(label_model()) as (client, service):
        assert client.get("/health").json()["ready"] is True
        service.finish(10)
        found = client.post("/predict", json={"text": "a"})
        assert (found.status_code, found.headers["retry-after"]) == (503, "5")
        health = client.get("/health")
    assert (health.status_code, health.json()["ready"]) == (503, False)


def answer_to(application: Any, messages: list[Any], **scope: Any) -> list[Any]:
    """Call an application with messages that come one after another, and then no more."""
    sent: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", HOST.encode()), (b"content-type", b"application/json")]
    asked = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b"", **scope}
    asyncio.run(application(asked, receive, send))
    return sent


def test_a_body_that_does_not_come_ends() -> None:
    async def never(*_: Any) -> None:
        raise AssertionError

    limited = BodyLimit(never, limits=Limits(timeout_seconds=0.05))
    start, body = answer_to(limited, [{"type": "http.request", "body": b"{", "more_body": True}])
    assert (start["status"], body["body"]) == (408, b'{"detail": "the body did not come within 0.05 s"}')


def test_a_client_that_leaves_is_forgotten() -> None:
    service = Service(label_model(), Limits(), hosts=[HOST])
    body = {"type": "http.request", "body": b'{"text": "a"}', "more_body": False}
    answer_to(service.application, [body, {"type": "http.disconnect"}])
    assert len(service.queue) == 1
    asked = service.queue.put(["bb"], [1])
    assert [row.text for row in service.queue.take() or []] == ["bb"]
    assert not asked.future.done()


def test_no_text_reaches_the_log_or_the_metrics(caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    with caplog.at_level(logging.DEBUG), client_of(label_model(), characters=200) as (client, _):
        for asked in (
            {"text": SECRET},
            {"text": f"{SECRET} fails"},
            {"text": SECRET * 99},
            {SECRET: 1},
            {"top": SECRET},
        ):
            client.post("/predict", json=asked)
        client.get(f"/{SECRET}")
        client.get(f"/health?text={SECRET}")
        page = client.get("/metrics").text
    captured = capfd.readouterr()
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("showdown"))
    assert "RuntimeError" in ours
    assert SECRET not in ours + page + captured.out + captured.err
    assert 'showdown_requests_total{path="other",status="404"} 1.0' in page
    assert 'showdown_requests_total{path="/predict",status="422"} 3.0' in page


def test_a_fault_of_the_server_is_an_answer_without_its_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError(SECRET)

    with client_of(label_model()) as (client, service):
        monkeypatch.setattr(service.served, "tokens", broken)
        found = client.post("/predict", json={"text": "a"})
    assert (found.status_code, found.json()) == (500, {"detail": "the server failed; its log says where"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("showdown")]
    assert [line.startswith("a request failed: RuntimeError in") for line in ours] == [True]
    assert SECRET not in "".join(ours)
