"""Where a server listens."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from showdown.core.errors import UserError

LOOPBACK = "127.0.0.1"
_BACKLOG = 2048
_HTTP_PORT = 80
"""Clients leave it out."""


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not listen yet.

    Args:
        host: a name or an address of this machine.
        port: 0 takes a free one.

    Raises:
        UserError: when the host is none of this machine, or the port is taken.

    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UserError(f"--host {host}: no such address ({error.strerror}); give one of this machine") from error
    found = socket.socket(family, kind, protocol)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        with _taken_reported(host, port):
            found.bind(address)
    except BaseException:
        found.close()
        raise
    return found


def start_listening(bound: socket.socket) -> None:
    """Let clients connect.

    Raises:
        UserError: when another program, which was bound to the same port too, was faster.

    """
    host, port = bound.getsockname()[:2]
    with _taken_reported(host, port):
        bound.listen(_BACKLOG)


@contextmanager
def _taken_reported(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"--host {host}: not an address of this machine") from error
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = f"port {port} of {host} cannot be had ({error.strerror})"
        raise UserError(f"{why}; choose another with --port") from error


def is_loopback(listening: socket.socket) -> bool:
    """Return whether programs of this machine alone reach a socket."""
    return ipaddress.ip_address(str(listening.getsockname()[0])).is_loopback


def url_of(listening: socket.socket) -> str:
    """Return the address of a socket as browsers write it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def own_hosts(listening: socket.socket) -> frozenset[str]:
    """Return what a `Host` header says where a program of this machine means this socket."""
    host, port = listening.getsockname()[:2]
    names = {LOOPBACK, "localhost", "[::1]", f"[{host}]" if ":" in host else host}
    ends = (f":{port}", "") if port == _HTTP_PORT else (f":{port}",)
    return frozenset(name + end for name in names for end in ends)
