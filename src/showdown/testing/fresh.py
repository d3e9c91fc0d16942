"""A process that has trained nothing, in which saved models answer.

The process imports what answering needs once; each saved model then answers in a fork of it.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showdown.core.files import write_json
from showdown.testing.material import MATERIALS, Answered, Material
from showdown.testing.require import require

_ANSWERS = "fresh_answers.json"
_NEEDED = (
    "peft",
    "transformers.models.bert.modeling_bert",
    "transformers.models.mistral.modeling_mistral",
    "showdown.engine.graphs.capture",
    "showdown.tasks.classification.network",
    "showdown.tasks.generation.network",
    "showdown.models.network",
    "showdown.models.tokens",
    "showdown.stages.artifact",
)
"""What every fork imports otherwise by itself."""


class FreshProcess:
    """Starts with the first request; `close` ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def answered(self, runs: Sequence[Path], material: Material) -> list[Answered]:
        """Return what the models that runs saved answer.

        Args:
            runs: their folders, each with `spec.json` and `artifact`; one process answers for all of them.
            material: what is asked.

        Raises:
            NonConformance: when the model cannot be opened there, or does not answer.

        """
        import numpy as np

        process = self._process = self._process or subprocess.Popen(
            [sys.executable, "-m", "showdown.testing.fresh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        request = {"path": sys.path, "runs": [str(run) for run in runs], "task": material.task}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline().strip()
        require(answer == "0", f"the saved model does not answer in a fresh process: {answer}")
        found = [json.loads((run / _ANSWERS).read_text(encoding="utf-8")) for run in runs]
        return [
            Answered(numbers=np.asarray(one["numbers"], dtype=np.float64), written=tuple(one["written"]))
            for one in found
        ]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()  # it holds nothing: waiting for an orderly end of its libraries takes seconds
            self._process.communicate()
            self._process = None


def _answer(request: dict[str, Any]) -> None:
    """Write the answers into the folder of each run."""
    from showdown.core.spec import RunSpec
    from showdown.stages.artifact import open_predictor

    sys.path[:] = request["path"]
    material = MATERIALS[request["task"]]
    for run in map(Path, request["runs"]):
        spec = RunSpec.model_validate_json((run / "spec.json").read_bytes())
        found = material.answered(open_predictor(spec, material.labels, run / "artifact"))
        write_json(run / _ANSWERS, {"numbers": found.numbers.tolist(), "written": list(found.written)})


def _forked(request: dict[str, Any]) -> str:
    """Answer in a fork; return `0`, or what went wrong."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        why = "0"
        try:
            _answer(request)
        except BaseException as error:  # whatever it is, the parent is told
            why = f"{type(error).__name__}: {error}"
        os.write(tell, why.encode(errors="replace")[:2000])
        os._exit(0)
    os.close(tell)
    with os.fdopen(told, encoding="utf-8", errors="replace") as answer:
        found = " ".join(answer.read().split())
    os.waitpid(child, 0)
    return found or "the process ended without an answer"


def main() -> None:
    """Answer one request a line until standard input ends."""
    for module in _NEEDED:
        importlib.import_module(module)

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(_forked(json.loads(line)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
