"""`showdown serve`: what must be true before a server starts, and what it says."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from showdown.core.errors import UserError
from showdown.prediction.load import load_model
from showdown.serving.address import LOOPBACK, bound_socket, is_loopback, own_hosts, start_listening, url_of
from showdown.serving.limits import Limits
from showdown.serving.options import ServeOptions
from showdown.serving.token import VARIABLE, read_token

_PACKAGES = ("fastapi", "fastapi_offline", "prometheus_client", "uvicorn")


def serve(folder: Path, row: str | None, limits: Limits, say: Callable[[str], None], options: ServeOptions) -> None:
    """Serve a saved model until a signal ends it.

    Args:
        folder: as in `load_model`; so for `row`.
        row: of a comparison.
        limits: of what is accepted.
        say: is told what must be known of the model, that the server listens, and that it has ended.
        options: address, token and more.

    Raises:
        UserError: for anything that keeps it from starting, and where the model cannot answer any more.

    """
    _require_packages()
    base, token_file, host = options.get("base"), options.get("token_file"), options.get("host", LOOPBACK)
    token = read_token(None if token_file is None else Path(token_file))
    with bound_socket(host, options.get("port", 8000)) as listening:
        if token is None and not is_loopback(listening):
            raise UserError(
                f"--host {host} lets other machines ask: give a token that they must know, with --token-file or in "
                f"{VARIABLE}"
            )
        model = load_model(folder, row, None if base is None else Path(base))
        if (system := options.get("system")) is not None:
            model = model.with_system(system)
        if model.hint:
            say(model.hint)

        from showdown.serving.app import Service
        from showdown.serving.server import Server

        hosts = own_hosts(listening)
        service = Service(model, limits, coverage=options.get("coverage"), token=token, hosts=hosts)
        url, guarded = url_of(listening), "" if token is None else "; it asks for the token"
        server = Server(
            service, limits, lambda: say(f"`{model.name}` answers at {url}/predict (page: {url}/docs){guarded}")
        )
        service.start(server.end_broken)
        start_listening(listening)
        try:
            server.run(sockets=[listening])
        finally:
            service.finish(0.0 if server.force_exit else limits.timeout_seconds)
    if server.broken:
        raise UserError(
            f"`{model.name}` could not answer any more; the lines above say where it failed; start it again"
        )
    say("ended")


def _require_packages() -> None:
    lacking = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(
            f"a server needs {', '.join(lacking)}; install them with `pip install 'finetuning-showdown[serve]'`"
        )
