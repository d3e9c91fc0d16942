"""The command line in a process of its own, forked from one that has imported the libraries already.

As in `python -P -m showdown`, a command has its own arguments, folder, environment, streams and exit code, and finds
nothing in memory from an earlier one. What a command imports, and from where, is tested where Python starts anew.
"""

import contextlib
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 200
AHEAD = (
    "cleanlab.filter",
    "peft.tuners.lora",
    "ruamel.yaml",
    "showdown.cli",
    "showdown.data.suspects",
    "showdown.report.across.html",
    "showdown.report.latex.paper",
    "showdown.report.page.write",
    "showdown.report.pdf.write",
    "showdown.runner.execute",
    "showdown.stages.artifact",
    "showdown.tasks.classification.network",
    "skops.io",
    "transformers.models.bert.modeling_bert",
)
"""What most commands need, and would import by themselves."""


def showdown(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with the environment of this process; return its code and what it printed."""
    words = [*map(str, arguments)]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        request = {"words": words, "folder": str(folder), "env": dict(os.environ), "parent": os.getpid()}
        request |= {"output": output.fileno(), "errors": errors.fileno()}
        server = _server()
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, output.read(), errors.read())


@functools.cache
def _server() -> "subprocess.Popen[str]":
    """Start the process that has imported the libraries; it ends when this one does."""
    return subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _serve() -> None:
    """Answer requests: fork a process for each, and write its code."""
    for name in AHEAD:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _command(request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _command(request: dict[str, object]) -> None:
    """Become the command: its streams, its folder, its environment and its arguments."""
    import signal

    from showdown.cli import main

    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    os.chdir(str(request["folder"]))
    opened = f"/proc/{request['parent']}/fd"  # of the process that asked, which has the files open
    for number, name in enumerate((os.devnull, f"{opened}/{request['output']}", f"{opened}/{request['errors']}")):
        file = os.open(name, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)
    signal.alarm(SECONDS)
    sys.argv = ["showdown", *request["words"]]  # type: ignore[misc]
    code: object = 0
    try:
        main(sys.argv[1:])
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # what Python itself would print
        sys.excepthook(*sys.exc_info())
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
