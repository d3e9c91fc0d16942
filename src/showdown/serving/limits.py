"""What a server accepts, and how long it works on it."""

from dataclasses import dataclass, fields

from showdown.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one server. Each is above 0, but for `wait_ms`, which may be 0.

    Raises:
        UserError: for a limit that is not, or for a queue that is shorter than the largest request.

    """

    rows: int = 256
    """Texts or prompts of one request."""
    characters: int = 50_000
    """Of one text, or of all messages of one chat."""
    body_bytes: int = 4_000_000
    """Of a request's body."""
    queue_rows: int = 1024
    """Rows that wait to be answered; a request that does not fit behind them is refused with status 429."""
    timeout_seconds: float = 30.0
    """From when a request is read to its answer; also for sending its body."""
    wait_ms: float = 0.0
    """The longest that a row waits for others to be answered with it, while the model has nothing else to do. Rows that
    come while the model works are answered together in any case."""
    batch_tokens: int = 1024
    """About how many tokens the model reads at a time. A longer text is answered alone."""
    connections: int = 1024
    """At the same time; one more gets status 503."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0.0
            if not (value >= least if field.name == "wait_ms" else value > least) or value == float("inf"):
                raise UserError(f"the limit `{field.name}` is {value:g}; give a number above 0")
        if self.queue_rows < self.rows:
            raise UserError(
                f"a request may have {self.rows} rows, but only {self.queue_rows} may wait; let more wait, or accept "
                "fewer in a request"
            )
