"""Whatever a label holds and whatever a terminal can write, nothing is obeyed and nothing ends in a traceback."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from report.written_comparison import METHODS, write_comparison
from showdown.cli import main
from showdown.core.errors import UserError
from showdown.core.terminal import escape_controls, open_console, say
from showdown.report.terminal import print_table
from showdown.verdict.summary import judge

CONTROLS = [chr(number) for number in (*range(32), *range(127, 160), 0x2028, 0x2029, 0xD800)]
ORDERS = "\x1b[2J\x1b]0;title\x07\x9b31m\x85\r"


def test_every_control_character_is_shown_as_json_has_it() -> None:
    for sign in CONTROLS:
        said = escape_controls(f"a{sign}b")
        assert said == f"a\\u{ord(sign):04x}b"
        assert json.loads(f'"{said}"') == f"a{sign}b"
    for text in ("caf\u00e9 \u4e2d\u6587", "\u0646\u0635", "\U0001f468\u200d\U0001f469", "a\u00a0b", "\u202eabc", ""):
        assert escape_controls(text) == text


def test_lines_stay_lines_and_nothing_else_gets_through(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one{ORDERS}\ntwo")
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert not any(sign in out.replace("\n", "") for sign in CONTROLS)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "koi8-r"])
def test_the_table_reaches_any_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    labels = ("caf\u00e9", "\u4e2d\u6587 \U0001f600", f"quiet{ORDERS}")
    results = write_comparison(tmp_path / "out", labels=labels, methods={name: METHODS[name] for name in ("tfidf",)})
    noted = results.runs[0].model_copy(update={"title": f"T{ORDERS} \u4e2d\u2026", "notes": [f"n{ORDERS} \u2192"]})
    results = results.model_copy(update={"runs": [noted]})
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding, errors="strict")
    stream.reconfigure(errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    print_table(results, judge(results, tmp_path / "out"), open_console())
    stream.flush()
    monkeypatch.undo()
    text = written.getvalue().decode(encoding)
    assert not any(sign in text.replace("\n", "") for sign in CONTROLS)
    assert "\\u001b" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_the_command_ends_well_where_letters_cannot_be_written(tmp_path: Path, encoding: str) -> None:
    for name in ("one", "two"):
        write_comparison(tmp_path / name, labels=("\u4e2d\u6587", "caf\u00e9", ORDERS), model="\u6a21\u578b/\U0001f600")
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "showdown",
            "report",
            "one",
            "two",
            "--format",
            "markdown",
            "--output",
            "b\u00e9side-\u4e2d",
        ],
        cwd=tmp_path,
        env={
            "PYTHONIOENCODING": f"{encoding}:strict",
            "PYTHONPATH": ":".join(sys.path),
            "PYTHONUTF8": "0",
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, b"")
    text = found.stdout.decode(encoding)
    assert ("b\u00e9side-\u4e2d" in text) == (encoding == "utf-8")
    assert not any(sign in text.replace("\n", "") for sign in CONTROLS)


def test_a_message_is_one_line_of_bounded_length() -> None:
    said = str(UserError("x\x1b" * 5000 + "; name another place"))
    assert said.isprintable()
    assert len(said) < 6000
    assert said.endswith("; name another place")


def test_an_answer_is_one_line_whatever_its_label_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    label = f"a{ORDERS}\nb"
    ranked = ((label, 0.5), (f"c{ORDERS}", 0.3))
    answer = SimpleNamespace(label=label, score=0.5, score_kind="probability", confidence=0.5, sure=True, ranked=ranked)
    model = SimpleNamespace(hint=None, predict=lambda *given, **named: [answer])
    monkeypatch.setattr("showdown.api.load_model", lambda *given, **named: model)
    with pytest.raises(SystemExit) as left:
        main(["predict", "out", "--method", "lora", "--text", "x"])
    assert not left.value.code
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("a\\u001b[2J")
    assert line.count("\t") >= 2
    assert not any(sign in line.replace("\t", "") for sign in CONTROLS)
