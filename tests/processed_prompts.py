"""The processed rows of a comparison with written answers, as far as a report reads them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from generation_results import Row
from showdown.core.chat import prompt_of


def write_processed(output: Path, rows: Sequence[Row], *, system: str | None = None) -> None:
    """Write the test side into `data/processed` of a comparison's folder."""
    folder = output / "data" / "processed"
    folder.mkdir(parents=True)
    lines = [
        {"prompt": prompt_of(one.prompt, system=system), "answer": one.answer, "row": one.row, "cluster": one.cluster}
        for one in rows
    ]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    (folder / "test.jsonl").write_bytes(content)
    manifest = {"labels": [], "fingerprint": "f" * 64, "sha256": {"test.jsonl": hashlib.sha256(content).hexdigest()}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
