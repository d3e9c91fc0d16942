"""The text of `results.json`, written and read run by run: as one text, ten thousand runs would take gigabytes."""

import json
from collections.abc import Iterator

from pydantic import ValidationError

from showdown.core.compact import compact
from showdown.core.record import Results, RunRecord

_OPEN, _NEXT, _CLOSE = b'\n  "runs": [\n    {\n', b"\n    },\n    {\n", b"\n    }\n  ]\n}\n"
"""Before, between and behind runs. No text within a run has a line that begins so: its own lines are further in, and
JSON's strings have no line breaks."""


def pieces(results: Results) -> Iterator[str]:
    """Yield the text of `results.json`."""
    head = json.dumps(
        results.model_copy(update={"runs": []}).model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False
    )
    empty = "[]\n}"
    assert head.endswith(empty), "runs are the last field"
    if not results.runs:
        yield head + "\n"
        return
    yield head.removesuffix(empty) + "["
    for number, run in enumerate(results.runs):
        text = json.dumps(run.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
        yield (",\n    " if number else "\n    ") + text.replace("\n", "\n    ")
    yield "\n  ]\n}\n"


def without_runs(content: bytes) -> bytes:
    """Return the text of results without their runs, as JSON; all of it where it is not as `pieces` writes it."""
    opens = content.find(_OPEN)
    return content if opens < 0 else content[:opens] + b'"runs": []}'


def read_by_run(content: bytes) -> Results | None:
    """Return the results of a text that `pieces` wrote; None for any other, or where a value cannot be."""
    opens = content.find(_OPEN)
    if opens < 0 or not content.endswith(_CLOSE):
        return None
    try:
        head = Results.model_validate_json(without_runs(content))
        runs = [compact(RunRecord.model_validate_json(text)) for text in _runs(content, opens + len(_OPEN))]
    except ValidationError:
        return None
    return head.model_copy(update={"runs": runs})


def _runs(content: bytes, begin: int) -> Iterator[bytes]:
    end = len(content) - len(_CLOSE)
    while begin < end:
        until = content.find(_NEXT, begin, end)
        until = end if until < 0 else until
        yield b"{" + content[begin:until] + b"}"
        begin = until + len(_NEXT)
