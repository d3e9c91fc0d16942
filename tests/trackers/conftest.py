"""A finished comparison whose every text could leak: in labels, errors, notes, settings, paths."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from report.written_comparison import write_comparison
from showdown.core.files import write_json
from showdown.core.record import Results, RunRecord
from showdown.core.samples import Sample
from showdown.trackers.entry import entry_of, summary_of
from showdown.trackers.tracker import Entry
from showdown.verdict.summary import judge

SECRET = "sesquipedalian"
"""Is part of every word that no tracker may see."""
STEPS = 30


def followed_comparison(folder: Path) -> Results:
    """A comparison with curves and samples; row `qlora` failed, and quotes a text of the data."""
    results = write_comparison(
        folder,
        name="small",
        labels=[f"{SECRET} baker", f"{SECRET}nurse", "pilot"],
        failed={"qlora": f"ValueError: no such text: {SECRET} five years of ABAP"},
        model=f"/home/{SECRET}/models/tiny-bert",
    )
    runs = [follow(run, folder) for run in results.runs]
    results = results.model_copy(update={"runs": runs})
    write_json(folder / "results.json", results.model_dump(mode="json"))
    return results


def follow(run: RunRecord, output: Path) -> RunRecord:
    folder = output / "runs" / run.run_id
    folder.mkdir()
    settings = {**run.spec.settings, "template": f"A text about {SECRET} {{label}}"}
    spec = run.spec.model_copy(update={"settings": settings})
    update: dict[str, Any] = {"spec": spec, "notes": [f"the text {SECRET} was cut"]}
    if run.status == "completed":
        steps = list(range(1, STEPS + 1))
        training = {
            "step": steps,
            "loss": [math.exp(-step / 10) for step in steps],
            "learning_rate": [1e-3] * STEPS,
            "gradient_norm": [None, *[0.5] * (STEPS - 1)],
        }
        validation = [{"epoch": 1, "step": STEPS, "f1_macro": 0.75, "loss": 0.25}]
        write_json(folder / "curve.json", {"training": training, "validation": validation})
        empty = dict.fromkeys(Sample.model_fields)
        samples = [
            {**empty, "seconds": second / 2, "phase": "training", "cpu_percent": 97.5, "ram_gb": 0.5 + second}
            for second in range(6)
        ]
        (folder / "system.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
        place = f"runs/{run.run_id}"
        update |= {"curve_file": f"{place}/curve.json", "system_file": f"{place}/system.jsonl"}
    made = run.model_copy(update=update)
    write_json(folder / "result.json", made.model_dump(mode="json"))
    return made


@pytest.fixture(scope="session")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("followed") / "out"
    followed_comparison(folder)
    return folder


@pytest.fixture(scope="session")
def entries(output: Path) -> list[Entry]:
    """Every run's entry, then the summary's."""
    results = Results.model_validate_json((output / "results.json").read_bytes())
    verdict = judge(results, output)
    return [*(entry_of(run, output) for run in results.runs), summary_of(verdict, results.runs, output)]
