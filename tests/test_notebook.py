"""Showdown at a Python prompt and in a notebook: what is there is listed, and results are readable."""

import subprocess
import sys
from pathlib import Path

import showdown
from report.written_comparison import write_comparison
from showdown.core.record import RunRecord
from showdown.runner.audit import Audited

HOSTILE = "<img src=x onerror=alert(1)>"


def test_the_interface_is_listed_without_importing_it() -> None:
    code = (
        "import sys, showdown\nnames = dir(showdown)\n"
        "assert {'run', 'load', 'judge', 'load_model', 'predict', 'write_reports', 'audit'} <= set(names), names\n"
        "assert 'showdown.api' not in sys.modules\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert all(callable(getattr(showdown, name)) for name in showdown.__all__)
    # A function with the name of a module is gone once that module is imported.
    modules = {path.stem for path in Path(str(showdown.__file__)).parent.iterdir()}
    assert not modules & set(showdown.__all__)


def test_results_and_verdict_are_readable(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out", failed={"qlora": HOSTILE})
    verdict = showdown.judge(tmp_path / "out")
    lines = repr(results).splitlines()
    assert lines[0] == f"Results of small: {len(results.runs) - 1} of {len(results.runs)} runs completed"
    assert len(lines) == len(results.runs) + 2
    done = next(run for run in results.runs if run.status == "completed")
    assert any(line.startswith(done.name) and f"{done.accuracy:.3f}" in line for line in lines)
    assert str(results) == repr(results)
    assert f"<td>{done.accuracy:.3f}</td>" in results._repr_html_()
    assert repr(verdict).splitlines()[0] == verdict.recommendation.sentence
    assert all(f"- {sentence}" in repr(verdict) for sentence in verdict.sentences)
    html = verdict._repr_html_()
    assert html.count("<li>") == len(verdict.sentences)
    assert HOSTILE not in html + results._repr_html_()
    one: RunRecord = results.runs[-1]
    assert repr(one) == f"RunRecord(qlora, seed 0, split 0: out-of-memory; {HOSTILE})"


def test_an_audit_shows_its_lines_escaped() -> None:
    found = Audited(lines=("3 rows", HOSTILE), findings=(), facts={}, listed_rows=0)
    assert repr(found) == f"3 rows\n{HOSTILE}"
    assert found._repr_html_().count("<li>") == 2
    assert HOSTILE not in found._repr_html_()
