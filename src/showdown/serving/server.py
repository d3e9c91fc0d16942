"""The process that serves: it starts, answers until a signal comes, and ends without losing what it accepted."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from showdown.serving.app import Service
from showdown.serving.limits import Limits

_AFTER_SECONDS = 5
"""Beyond the time of a request, for its answer to be sent."""


class Server(uvicorn.Server):
    """uvicorn, which ends in order at the first signal and at once at the second."""

    def __init__(self, service: Service, limits: Limits, ready: Callable[[], None]) -> None:
        """Prepare.

        Args:
            service: what answers.
            limits: how many connections there may be, and how long a request may take.
            ready: called once the server listens.

        """
        super().__init__(
            uvicorn.Config(
                service.application,
                lifespan="off",
                access_log=False,  # it would hold what a client writes behind the path
                log_config=None,
                log_level="warning",
                server_header=False,
                ws="none",
                limit_concurrency=limits.connections,
                timeout_graceful_shutdown=int(limits.timeout_seconds) + _AFTER_SECONDS,
            )
        )
        self.broken = False
        self._service, self._ready = service, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals here. uvicorn raises them again at the end, which would make an end in order a failure."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            for number, handler in before.items():
                if number != signal.SIGHUP or handler is not signal.SIG_IGN:  # as `nohup` has it
                    signal.signal(number, self.handle_exit)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Refuse new rows and end once all are answered; at a second signal, at once."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True
        self._service.queue.close()

    def end_broken(self) -> None:
        """End because the model cannot answer any more; any thread may call it."""
        self.broken = self.should_exit = True
