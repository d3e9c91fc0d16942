"""The server behind the page: on this machine's loopback alone, three addresses, nothing but GET."""

import base64
import errno
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
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
"""With a browser that says nothing."""


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
        self._obstacle: str | None = None

    def state(self) -> dict[str, Any]:
        """Return how the comparison stands; begins to write the report once it is complete."""
        with self._reading:
            state = self._watched.state()
            report = self.report() if state["complete"] else None
            if state["complete"] and report is None and self._writer is None:
                self._writer = threading.Thread(target=self._write, daemon=True)
                self._writer.start()
        return {**state, "report": report is not None, "obstacle": self._obstacle}

    def report(self) -> Path | None:
        """Return the report's page, where it is as new as the results; None otherwise."""
        path, results = self._output / "report.html", self._output / "results.json"
        try:
            return path if path.stat().st_mtime_ns >= results.stat().st_mtime_ns else None
        except OSError:
            return None

    def _write(self) -> None:
        try:
            self._write_report()
        except Exception as error:
            self._obstacle = f"no report: {(str(error) or type(error).__name__).splitlines()[0]}"


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
        if self.headers.get("Host") not in self.server.hosts:
            # Another name that leads here is somebody else's page (DNS rebinding).
            self._answer(403, b"this page is for this machine alone\n", "text/plain")
        elif self.path == "/state.json":
            content = json.dumps(self.server.state(), allow_nan=False).encode()
            self._answer(200, content, "application/json")
        elif self.path == "/":
            self._page()
        else:
            self._answer(404, b"not found\n", "text/plain")

    def _page(self) -> None:
        report = self.server.report() if self.server.state()["report"] else None
        if report is None:
            self._answer(200, self.server.page, "text/html", self.server.policy)
        else:  # it brings its own policy
            self._answer(200, report.read_bytes(), "text/html", "frame-ancestors 'none'")

    def _answer(self, status: int, content: bytes, kind: str, policy: str = "default-src 'none'") -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address alone."""
