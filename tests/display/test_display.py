"""What `showdown run` shows while it goes: a live table at a terminal, plain lines elsewhere."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from report.written_comparison import write_comparison
from showdown.core.progress import PROGRESS_FILE, ProgressPoint, read_progress
from showdown.core.record import RunRecord
from showdown.display.live import LiveTable, clock
from showdown.display.plain import PlainLines, display_for
from showdown.runner.progress import ProgressLog

WORKER = {"kind": "worker", "stage": "train", "pid": 1}


def step(step: int, *, steps: int = 40, seconds: float = 5.0, loss: float = 0.5) -> dict[str, Any]:
    return {"kind": "step", "step": step, "steps": steps, "epoch": 1, "loss": loss, "seconds": seconds}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunRecord]:
    """A completed run (`lora`) and one that ran out of memory (`full`)."""
    runs = write_comparison(tmp_path_factory.mktemp("shown") / "out", failed={"full": "CUDA out of memory"}).runs
    return {run.name: run for run in runs}


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120, height=30)


def shown(table: LiveTable) -> list[str]:
    """Lines of the table as it stands, without colours."""
    paper = Console(file=io.StringIO(), width=120, height=table.console.height)
    paper.print(table.drawn())
    return paper.file.getvalue().splitlines()


def line_of(table: LiveTable, name: str) -> list[str]:
    (line,) = [line for line in shown(table) if f" {name} " in line.replace("│", " ")]
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_the_table_says_of_every_run_how_it_stands(console: Console, records: dict[str, RunRecord]) -> None:
    table = LiveTable(console)
    table.plan([("tfidf", 0), ("lora", 0), ("full", 0)], [records["tfidf"], None, None])
    assert line_of(table, "tfidf")[2] == "done"
    assert line_of(table, "tfidf")[8:] == [
        f"{100 * (records['tfidf'].accuracy or 0):.1f}",
        f"{records['tfidf'].f1_macro:.3f}",
    ]
    assert line_of(table, "lora")[2] == "waiting"
    table.start(2, "lora", 0)
    assert line_of(table, "lora")[2] == "starting"
    table.event(WORKER)
    table.event({"kind": "phase", "phase": "loading"})
    assert line_of(table, "lora")[2] == "loading"
    table.event({"kind": "entered", "phase": "training"})
    table.event(step(10, steps=40, seconds=5.0, loss=0.25))
    table.event({"kind": "sample", "gpu_memory_gb": None, "ram_gb": 0.75})
    assert line_of(table, "lora") == [
        *("lora", "0", "training, epoch 1", "10/40", "0.250", "2.0", "0.75", "0:15", "", ""),
    ]
    table.event({"kind": "sample", "gpu_memory_gb": 61.5, "ram_gb": 0.75})
    assert line_of(table, "lora")[6] == "61.50"
    table.finish(records["lora"])
    assert line_of(table, "lora")[2] == "done"
    assert shown(table)[-1].startswith("2 of 3 runs done, 0:0")
    table.start(3, "full", 0)
    table.finish(records["full"])
    assert line_of(table, "full")[2] == "out-of-memory"
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "full, seed 0: out-of-memory: CUDA out of memory" in told
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 1, "the cursor is hidden and shown again"


def test_an_end_before_its_time_leaves_the_screen_in_order(console: Console) -> None:
    display = display_for(console)
    assert isinstance(display, LiveTable)
    display.plan([("lora", 0)], [None])
    display.start(1, "lora", 0)
    display.close()
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 1
    display.close()


@pytest.mark.parametrize("width", [80, 90, 100, 120])
@pytest.mark.parametrize(
    ("names", "seeds", "steps"), [(("tfidf", "lora", "zero-shot"), 1, 675), (("lora",), 2, 99_999)]
)
@pytest.mark.parametrize("long", [False, True])
def test_a_narrow_terminal_shows_every_number_whole(
    records: dict[str, RunRecord], width: int, names: tuple[str, ...], seeds: int, steps: int, long: bool
) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, height=24)
    table = LiveTable(screen)
    called = [f"{name}-with-a-long-name-that-goes-on-and-on" if long else name for name in names]
    runs = [(name, seed) for name in called for seed in range(seeds)]
    table.plan([*runs, ("full", 0), ("last", 0)], [records["lora"], *[None] * (len(runs) - 1), records["full"], None])
    table.start(len(runs) + 2, "last", 0)
    table.event(WORKER)
    table.event({"kind": "entered", "phase": "training"})
    table.event(step(steps - 10, steps=steps, seconds=steps / 3.2, loss=2.345))
    table.event({"kind": "sample", "gpu_memory_gb": 61.5, "ram_gb": 0.75})
    paper = Console(file=io.StringIO(), width=width, height=24)
    paper.print(table.drawn())
    lines = paper.file.getvalue().splitlines()  # type: ignore[attr-defined]
    table.close()
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    (going,) = [line for line in lines if "last" in line]
    for number in ("training, epoch 1", f"{steps - 10}/{steps}", "2.345", "3.2", "61.50", "0:03"):
        assert number in going
    done = next(line for line in lines if " done " in line)
    assert f"{100 * (records['lora'].accuracy or 0):.1f}" in done
    assert f"{records['lora'].f1_macro:.3f}" in done
    assert "out-of-memory" in text
    assert text.count("\u2026") <= (len(runs) if long else 0), "nothing is cut but names that are too long"


@pytest.mark.parametrize("running", [1, 30, 60])
def test_more_runs_than_lines_show_those_around_the_one_that_goes(console: Console, running: int) -> None:
    table = LiveTable(console)
    table.plan([(f"row-{number}", 0) for number in range(1, 61)], [None] * 60)
    table.start(running, f"row-{running}", 0)
    lines = shown(table)
    table.close()
    assert len(lines) <= 30
    assert any(f"row-{running} " in line for line in lines)
    assert any("more above" in line for line in lines) == (running > 1)
    assert any("more below" in line for line in lines) == (running < 60)


def test_names_and_messages_are_shown_as_they_are(console: Console) -> None:
    table = LiveTable(console)
    table.plan([("[red]x", 0)], [None])
    table.start(1, "[red]x", 0)
    table.event(WORKER)
    table.event({"kind": "say", "message": "cut: [bold]all[/bold]"})
    table.close()
    assert "[red]x" in "\n".join(shown(table))
    assert "cut: [bold]all[/bold]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_piped_it_is_plain_lines(records: dict[str, RunRecord]) -> None:
    console = Console(file=io.StringIO(), width=120)
    display = display_for(console)
    assert type(display) is PlainLines
    display.plan([("lora", 0), ("full", 1)], [None, None])
    display.start(1, "lora", 0)
    for event in (
        WORKER,
        {"kind": "phase", "phase": "loading"},
        {"kind": "phase", "phase": "loading"},
        {"kind": "entered", "phase": "training"},
        {"kind": "sample", "ram_gb": 1.0, "gpu_memory_gb": None},
        step(1),
        step(40, seconds=20.0),
    ):
        display.event(event)
    display.finish(records["lora"])
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert told[:4] == [
        "2 runs to do",
        "[1/2] lora, seed 0: starting",
        "[1/2] lora, seed 0: loading",
        "[1/2] lora, seed 0: training step 40/40, epoch 1, loss 0.500, at most 0:00 left",
    ]
    assert told[4].startswith("[1/2] lora, seed 0: accuracy ")
    assert len(told) == 5
    assert "\x1b" not in "".join(told)


def test_one_run_is_one(records: dict[str, RunRecord]) -> None:
    console = Console(file=io.StringIO(), width=120)
    display, run = display_for(console), ("lora", 0)
    display.plan([run], [None])
    display.plan([run], [records["lora"]])
    display.plan([run, ("full", 0)], [records["lora"], None])
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert told == ["1 run to do", "the one run is finished", "1 of 2 runs is finished; continuing"]


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 61, 3_661)] == ["0:00", "0:59", "1:01", "1:01:01"]


def test_moments_are_written_for_who_watches(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    log = ProgressLog(tmp_path, heard.append)
    events = [WORKER, {"kind": "phase", "phase": "loading"}, *(step(number) for number in range(1, 41))]
    events += [{**WORKER, "stage": "score"}, {"kind": "phase", "phase": "prediction"}]
    for event in events:
        log.receive(event)
    assert heard == events
    found = read_progress(tmp_path / PROGRESS_FILE)
    assert [(moment.stage, moment.phase, moment.step) for moment in found] == [
        ("train", None, None),
        ("train", "loading", None),
        ("train", "loading", 40),  # of steps within a second, the last one of all
        ("score", None, None),
        ("score", "prediction", None),
    ]
    with (tmp_path / PROGRESS_FILE).open("a") as file:
        file.write('{"stage": "tra')
    ProgressLog(tmp_path, heard.append).receive(WORKER)
    assert read_progress(tmp_path / PROGRESS_FILE) == [*found, ProgressPoint(stage="train", phase=None)]


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    log = ProgressLog(tmp_path / "missing", heard.append)
    log.receive(WORKER)
    log.receive(step(1))
    assert len(heard) == 2
