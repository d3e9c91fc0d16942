"""What Prometheus is told: counts, sizes and seconds, and no text."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64)
_TOKENS = (16, 64, 256, 1024, 4096, 16384)


class Metrics:
    """The metrics of one server."""

    def __init__(self, about: dict[str, str], waiting_rows: Callable[[], int]) -> None:
        """Begin at zero.

        Args:
            about: the model and the versions, by label names.
            waiting_rows: returns how many rows wait.

        """
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("showdown_model", "What answers.", registry=registry).info(about)
        self._requests = Counter(
            "showdown_requests", "Requests by path and status.", ["path", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "showdown_request_seconds",
            "From a request's head to its answer, by path.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_rows = Histogram(
            "showdown_batch_rows", "Rows that were answered together.", buckets=_ROWS, registry=registry
        )
        self._batch_tokens = Histogram(
            "showdown_batch_tokens", "About how many tokens they had.", buckets=_TOKENS, registry=registry
        )
        self._batch_seconds = Histogram(
            "showdown_batch_seconds", "What the model took for them.", buckets=_SECONDS, registry=registry
        )
        self._failures = Counter(
            "showdown_failed_rows", "Rows that the model could not answer.", registry=registry
        )  # fmt: skip
        Gauge("showdown_waiting_rows", "Rows that wait for the model.", registry=registry).set_function(waiting_rows)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            path: one of a few names.
            status: of its answer.
            seconds: that it took.

        """
        self._requests.labels(path, str(status)).inc()
        self._request_seconds.labels(path).observe(seconds)

    def batch(self, *, rows: int, tokens: int, seconds: float) -> None:
        """Count a batch."""
        self._batch_rows.observe(rows)
        self._batch_tokens.observe(tokens)
        self._batch_seconds.observe(seconds)

    def failed(self) -> None:
        """Count a row that the model could not answer."""
        self._failures.inc()

    def page(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)
