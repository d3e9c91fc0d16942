"""Showdown: which fine-tuning method should I use, on my data, with my GPU, for my money?

`showdown.run`, `showdown.load`, `showdown.judge` and `showdown.predict` do the same from Python as the command line;
see `showdown.api`.
"""

from typing import Any

__all__ = [
    "audit",
    "beside",
    "dry_run",
    "judge",
    "load",
    "load_model",
    "plan",
    "predict",
    "run",
    "serve",
    "sync",
    "write_reports",
]


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first asked for: `showdown --help` does not pay for it."""
    if name in __all__:
        from showdown import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the interface, and nothing that must be imported to be listed."""
    return sorted({*globals(), *__all__})
