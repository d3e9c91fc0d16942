"""Showdown: which fine-tuning method should I use, on my data, with my GPU, for my money?

`showdown.run`, `showdown.load`, `showdown.judge` and `showdown.predict` do the same from Python as the command line
(`showdown.api`); `showdown.Comparison` has them as one object, for notebooks.
"""

from typing import Any

__all__ = [
    "Comparison",
    "audit",
    "beside",
    "comparisons",
    "data_sets",
    "dry_run",
    "export",
    "fetch",
    "init",
    "judge",
    "load",
    "load_model",
    "plan",
    "predict",
    "remove",
    "run",
    "serve",
    "sync",
    "to_remove",
    "write_reports",
]


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first asked for: `showdown --help` does not pay for it."""
    if name == "Comparison":
        from showdown.comparison import Comparison

        return Comparison
    if name in __all__:
        from showdown import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the interface, and nothing that must be imported to be listed."""
    return sorted({*globals(), *__all__})
