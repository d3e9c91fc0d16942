"""The command line, run in the process of the test."""

from collections.abc import Callable

import pytest

from showdown.cli import main

Says = Callable[..., tuple[int, str, str]]
"""Runs a command, and returns its code and what it printed to its output and its error output."""


def in_process(capsys: pytest.CaptureFixture[str]) -> Says:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
