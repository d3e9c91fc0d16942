"""The command that serves a saved model."""

from pathlib import Path
from typing import Annotated

import typer

from showdown.commands.options import BaseModel, SavedModel, System
from showdown.commands.quiet import quiet_libraries
from showdown.core.terminal import say


def serve(
    model: SavedModel,
    *,
    method: Annotated[str | None, typer.Option(help="Row of the table whose saved model answers.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at. One that other machines reach needs a token.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token that clients send; by default SHOWDOWN_TOKEN has it.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Share of texts to be sure of, as for predict; others are marked `unsure`.")
    ] = None,
    system: System = None,
    max_rows: Annotated[int, typer.Option(help="Texts of one request.")] = 256,
    max_characters: Annotated[int, typer.Option(help="Of one text.")] = 50_000,
    max_body_mb: Annotated[float, typer.Option(help="Of one request, in MB (1e6 bytes).")] = 4.0,
    max_waiting: Annotated[int, typer.Option(help="Rows that wait; more are refused with status 429.")] = 1024,
    timeout: Annotated[float, typer.Option(help="Seconds until a request is ended with status 504.")] = 30.0,
    max_wait_ms: Annotated[
        float, typer.Option(help="The longest that a row waits for company while the model has nothing else to do.")
    ] = 0.0,
    batch_tokens: Annotated[int, typer.Option(help="About how many tokens the model reads at a time.")] = 1024,
    base: BaseModel = None,
) -> None:
    """Serve a saved model over HTTP."""
    from showdown import api
    from showdown.serving.limits import Limits

    quiet_libraries()
    limits = Limits(
        rows=max_rows,
        characters=max_characters,
        body_bytes=int(max_body_mb * 1e6),
        queue_rows=max_waiting,
        timeout_seconds=timeout,
        wait_ms=max_wait_ms,
        batch_tokens=batch_tokens,
    )
    api.serve(
        model,
        method,
        base=base,
        host=host,
        port=port,
        token_file=token_file,
        coverage=coverage,
        system=system,
        limits=limits,
        say=say,
    )
