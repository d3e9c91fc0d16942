"""What a server may be asked for beside the model and its limits."""

from pathlib import Path
from typing import TypedDict


class ServeOptions(TypedDict, total=False):
    """Options of `showdown.serve`."""

    base: Path | str | None
    """Where the pretrained model is now, if it was a local folder."""
    host: str
    """An address of this machine, 127.0.0.1 by default. One that other machines reach needs a token."""
    port: int
    """8000 by default; 0 takes a free one."""
    token_file: Path | str | None
    """Holds the token that clients send; by default the environment variable SHOWDOWN_TOKEN does."""
    coverage: float | None
    """As in `predict`, for requests that name none."""
    system: str | None
    """System message before prompts that have none, in place of that of the training; an empty one sends none."""
