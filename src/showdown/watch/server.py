"""The server of the page: it listens on the loopback only, has three addresses and answers GET only."""

import base64
import contextlib
import errno
import hashlib
import json
import re
import socket
import stat
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.core.files import read_file, refuse_unsafe
from showdown.watch.state import Watched

HOST = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PATIENCE_SECONDS = 20.0
"""For a whole request and its answer; a browser that is slower is cut off."""
_MOST_CONNECTIONS = 32
"""At the same time. A browser opens six; one more gets status 503."""
_TOO_MANY = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
_LARGEST_REPORT_BYTES = 200_000_000


_NOTHING = "default-src 'none'"


class WatchServer(ThreadingHTTPServer):
    """Serves the page of one comparison, and its report once it is complete."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, output: Path, port: int, write_report: Callable[[], Path]) -> None:
        """Bind to a port of the loopback; 0 takes a free one.

        Args:
            output: the comparison's folder.
            port: of 127.0.0.1.
            write_report: writes the page of the report and returns its path; called once the comparison is complete.

        Raises:
            UserError: when the folder holds no comparison, or the port is taken.

        """
        if not (output / "comparison.json").is_file() and not (output / ".lock").is_file():
            raise UserError(f"no comparison in {output}; give the folder that `showdown run` writes (its --output)")
        refuse_unsafe(output)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise UserError(
                f"port {port} of {HOST} cannot be had ({error.strerror}); choose another with --port"
            ) from (error)
        self.port = int(self.server_address[1])
        self.address = f"http://{HOST}:{self.port}"
        self.hosts = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        self.page = files("showdown.watch").joinpath("page.html").read_bytes()
        self.policy = _policy(self.page)
        self._output = output
        self._watched = Watched(output)
        self._write_report = write_report
        self._reading = threading.Lock()
        self._writer: threading.Thread | None = None
        self._written_for: int | None = None
        """Time stamp of the results that the report was written for, also where writing it failed."""
        self._made_for: int | None = None
        """The same of a report that was written; with it a clock that was set back does no harm."""
        self._problem: str | None = None
        self._open: dict[socket.socket, float] = {}
        """When each open connection began."""
        self._opening = threading.Lock()

    def state(self) -> dict[str, Any]:
        """Return the state of the comparison; begin to write the report when it has become complete."""
        with self._reading:
            state = self._watched.state()
            ready = state["complete"] and self._has_report()
            if state["complete"] and not ready:
                self._begin_report()
        return {**state, "report": ready, "problem": self._problem or state.get("problem")}

    def report(self) -> bytes | None:
        """Return the report's page, where it is as new as the results; None otherwise."""
        try:
            return read_file(self._report_file, most_bytes=_LARGEST_REPORT_BYTES) if self._has_report() else None
        except OSError:
            return None

    @property
    def _report_file(self) -> Path:
        return self._output / "report.html"

    def _has_report(self) -> bool:
        written = self._changed()
        try:
            found = self._report_file.lstat()
        except OSError:
            return False
        newer = written is not None and (found.st_mtime_ns >= written or self._made_for == written)
        return newer and stat.S_ISREG(found.st_mode)

    def _changed(self) -> int | None:
        try:
            return (self._output / "results.json").stat().st_mtime_ns
        except OSError:
            return None

    def _begin_report(self) -> None:
        """Write the report, once for the same results: the comparison may be run again while it is watched."""
        changed = self._changed()
        if changed == self._written_for or (self._writer and self._writer.is_alive()):
            return
        self._written_for, self._problem = changed, None
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def _write(self) -> None:
        try:
            self._write_report()
            self._made_for = self._written_for
        except Exception as error:
            self._problem = f"no report: {(str(error) or type(error).__name__).splitlines()[0]}"

    def process_request(self, request: Any, client_address: object) -> None:
        """Answer in a thread of its own, of which only a few run at the same time."""
        with self._opening:
            full = len(self._open) >= _MOST_CONNECTIONS
            if not full:
                self._open[request] = time.monotonic()
        if not full:
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(_TOO_MANY)
        super().shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that is over."""
        with self._opening:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End connections that take too long; called twice a second."""
        late = time.monotonic() - _PATIENCE_SECONDS
        with self._opening:
            for request in [request for request, began in self._open.items() if began < late]:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: object) -> None:
        """Print nothing: the error is a browser that left, and the terminal shows only the address."""


def _policy(page: bytes) -> str:
    """Return the content security policy under which the page's own script and style run, and nothing else."""

    def digests(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), page, re.DOTALL)
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in found)

    return (
        f"default-src 'none'; script-src {digests('script')}; style-src {digests('style')}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: WatchServer
    timeout = _PATIENCE_SECONDS
    server_version = "showdown"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page, the state or the report; nothing else is there."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            # Another host name comes from another site's page (DNS rebinding).
            self._answer(403, b"this page is for this machine alone\n", "text/plain")
            return
        try:
            found = self._found()
        except Exception as error:  # a request has an answer, whatever is in the folder
            message = f"the folder cannot be read: {type(error).__name__}\n"
            self._answer(500, message.encode(), "text/plain")
            return
        self._answer(*found)

    def _found(self) -> tuple[int, bytes, str, str]:
        """Return status, content, kind and policy of the answer."""
        if self.path == "/state.json":
            content = json.dumps(self.server.state(), allow_nan=False).encode()
            return 200, content, "application/json", _NOTHING
        if self.path != "/":
            return 404, b"not found\n", "text/plain", _NOTHING
        report = self.server.report() if self.server.state()["report"] else None
        if report is None:
            return 200, self.server.page, "text/html", self.server.policy
        return 200, report, "text/html", "frame-ancestors 'none'"  # it brings its own policy

    def _answer(self, status: int, content: bytes, kind: str, policy: str = _NOTHING) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the terminal shows only the address."""
