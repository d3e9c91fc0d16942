"""What `showdown run` shows while it goes: a live table at a terminal, plain lines elsewhere."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from generation_results import write_generation
from report.written_comparison import write_comparison
from showdown.core.events import Event, Message, PhaseEntered, PhaseStarted, Step, SystemSample, WorkerStarted
from showdown.core.progress import PROGRESS_FILE, ProgressPoint, read_progress
from showdown.core.record import RunRecord
from showdown.core.samples import Sample
from showdown.display.display import PlannedRun
from showdown.display.live import LiveTable, clock
from showdown.display.plain import PlainLines
from showdown.display.terminal import display_for
from showdown.runner.progress import ProgressLog

WORKER = WorkerStarted("lora", "train", 1, None)


def step(step: int, *, run: str = "lora", steps: int = 40, seconds: float = 5.0, loss: float = 0.5) -> Step:
    return Step(run, step, steps, 1, loss, seconds)


def sample(run: str, *, gpu: float | None = None, ram: float) -> SystemSample:
    empty = dict.fromkeys(Sample.model_fields)
    values = {**empty, "seconds": 1.0, "gpu_memory_gb": gpu, "ram_gb": ram}
    return SystemSample(run, Sample.model_validate(values))


def planned(*runs: tuple[str, int]) -> list[PlannedRun]:
    """Name runs by their arm; the second seed of one has it in its id."""
    return [
        PlannedRun(
            run_id=name if seed == 0 else f"{name}-s{seed}", number=number, total=len(runs), name=name, seed=seed
        )
        for number, (name, seed) in enumerate(runs, start=1)
    ]


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
    runs = planned(("tfidf", 0), ("lora", 0), ("full", 0))
    table.plan(runs, [records["tfidf"], None, None])
    assert line_of(table, "tfidf")[2] == "done"
    assert line_of(table, "tfidf")[8:] == [
        f"{100 * (records['tfidf'].accuracy or 0):.1f}",
        f"{records['tfidf'].f1_macro:.3f}",
    ]
    assert line_of(table, "lora")[2] == "waiting"
    table.start(runs[1])
    assert line_of(table, "lora")[2] == "starting"
    table.event(WORKER)
    table.event(PhaseStarted("lora", "loading"))
    assert line_of(table, "lora")[2] == "loading"
    table.event(PhaseEntered("lora", "training"))
    table.event(step(10, steps=40, seconds=5.0, loss=0.25))
    table.event(sample("lora", ram=0.75))
    assert line_of(table, "lora") == [
        *("lora", "0", "training, epoch 1", "10/40", "0.250", "2.0", "0.75", "0:15", "", ""),
    ]
    table.event(sample("lora", gpu=61.5, ram=0.75))
    assert line_of(table, "lora")[6] == "61.50"
    table.finish("lora", records["lora"])
    assert line_of(table, "lora")[2] == "done"
    assert shown(table)[-1].startswith("2 of 3 runs done, 0:0")
    table.start(runs[2])
    table.finish("full", records["full"])
    assert line_of(table, "full")[2] == "out-of-memory"
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "full, seed 0: out-of-memory: CUDA out of memory" in told
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 1, "the cursor is hidden and shown again"


def test_several_runs_go_at_the_same_time(console: Console, records: dict[str, RunRecord]) -> None:
    table = LiveTable(console)
    runs = planned(("tfidf", 0), ("lora", 0), ("full", 0))
    table.plan(runs, [None] * 3)
    for run, trained in zip(runs[:2], (10, 20), strict=True):
        table.start(run)
        table.event(WORKER._replace(run_id=run.run_id))
        table.event(step(trained, run=run.run_id))
    table.event(sample("lora", gpu=61.5, ram=0.75))
    assert [line_of(table, name)[3] for name in ("tfidf", "lora")] == ["10/40", "20/40"]
    assert [line_of(table, name)[6] for name in ("tfidf", "lora")] == ["", "61.50"]
    table.finish("tfidf", records["tfidf"])
    assert [line_of(table, name)[2] for name in ("tfidf", "lora", "full")] == ["done", "training, epoch 1", "waiting"]
    table.finish("lora", None)
    assert line_of(table, "lora")[2] == "trained", "it waits for the others of its pretrained network"
    table.close()


def test_plain_lines_of_several_runs_name_theirs() -> None:
    console = Console(file=io.StringIO(), width=120)
    display, runs = PlainLines(console), planned(("lora", 0), ("full", 1))
    display.plan(runs, [None, None])
    for run in runs:
        display.start(run)
    for run in (*runs, *runs):
        display.event(PhaseStarted(run.run_id, "loading"))
    display.event(Message("lora", "cut"))
    assert console.file.getvalue().splitlines()[1:] == [  # type: ignore[attr-defined]
        "[1/2] lora, seed 0: starting",
        "[2/2] full, seed 1: starting",
        "[1/2] lora, seed 0: loading",
        "[2/2] full, seed 1: loading",
        "[1/2] lora, seed 0: cut",
    ]


def test_an_end_before_its_time_leaves_the_screen_in_order(console: Console) -> None:
    display = display_for(console)
    assert isinstance(display, LiveTable)
    (run,) = planned(("lora", 0))
    display.plan([run], [None])
    display.start(run)
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
    shown_runs = planned(*runs, ("full", 0), ("last", 0))
    table.plan(shown_runs, [records["lora"], *[None] * (len(runs) - 1), records["full"], None])
    table.start(shown_runs[-1])
    table.event(WORKER._replace(run_id="last"))
    table.event(PhaseEntered("last", "training"))
    table.event(step(steps - 10, run="last", steps=steps, seconds=steps / 3.2, loss=2.345))
    table.event(sample("last", gpu=61.5, ram=0.75))
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
    runs = planned(*((f"row-{number}", 0) for number in range(1, 61)))
    table.plan(runs, [None] * 60)
    table.start(runs[running - 1])
    lines = shown(table)
    table.close()
    assert len(lines) <= 30
    assert any(f"row-{running} " in line for line in lines)
    assert any("more above" in line for line in lines) == (running > 1)
    assert any("more below" in line for line in lines) == (running < 60)


def test_of_more_runs_than_lines_all_that_go_are_shown_where_they_fit(console: Console) -> None:
    table = LiveTable(console)
    runs = planned(*((f"row-{number}", 0) for number in range(1, 61)))
    table.plan(runs, [None] * 60)
    for number in (20, 30, 40, 60):
        table.start(runs[number - 1])
    lines = shown(table)
    table.close()
    assert len(lines) <= 30
    assert [any(f"row-{number} " in line for line in lines) for number in (20, 30, 40, 60)] == [True, True, True, False]


def test_names_and_messages_are_shown_as_they_are(console: Console) -> None:
    table = LiveTable(console)
    (run,) = planned(("[red]x", 0))
    table.plan([run], [None])
    table.start(run)
    table.event(WORKER._replace(run_id=run.run_id))
    table.event(Message(run.run_id, "cut: [bold]all[/bold]"))
    table.close()
    assert "[red]x" in "\n".join(shown(table))
    assert "cut: [bold]all[/bold]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_piped_it_is_plain_lines(records: dict[str, RunRecord]) -> None:
    console = Console(file=io.StringIO(), width=120)
    display = display_for(console)
    assert type(display) is PlainLines
    runs = planned(("lora", 0), ("full", 1))
    display.plan(runs, [None, None])
    display.start(runs[0])
    for event in (
        WORKER,
        PhaseStarted("lora", "loading"),
        PhaseStarted("lora", "loading"),
        PhaseEntered("lora", "training"),
        sample("lora", ram=1.0),
        step(1),
        step(40, seconds=20.0),
    ):
        display.event(event)
    display.finish("lora", records["lora"])
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
    display, runs = display_for(console), planned(("lora", 0), ("full", 0))
    display.plan(runs[:1], [None])
    display.plan(runs[:1], [records["lora"]])
    display.plan(runs, [records["lora"], None])
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert told == ["1 run to do", "the one run is finished", "1 of 2 runs is finished; continuing"]


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 61, 3_661)] == ["0:00", "0:59", "1:01", "1:01:01"]


def test_progress_is_written_for_other_processes(tmp_path: Path) -> None:
    passed_on: list[Event] = []
    log = ProgressLog(tmp_path, passed_on.append)
    events: list[Event] = [WORKER, PhaseStarted("lora", "loading"), *(step(number) for number in range(1, 41))]
    events += [WORKER._replace(stage="score"), PhaseStarted("lora", "prediction")]
    for event in events:
        log.receive(event)
    assert passed_on == events
    found = read_progress(tmp_path / PROGRESS_FILE)
    assert [(point.stage, point.phase, point.step) for point in found] == [
        ("train", None, None),
        ("train", "loading", None),
        ("train", "loading", 40),  # of steps within a second, the last one of all
        ("score", None, None),
        ("score", "prediction", None),
    ]
    with (tmp_path / PROGRESS_FILE).open("a") as file:
        file.write('{"stage": "tra')
    ProgressLog(tmp_path, passed_on.append).receive(WORKER)
    assert read_progress(tmp_path / PROGRESS_FILE) == [*found, ProgressPoint(stage="train", phase=None)]


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    passed_on: list[Event] = []
    log = ProgressLog(tmp_path / "missing", passed_on.append)
    log.receive(WORKER)
    log.receive(step(1))
    assert len(passed_on) == 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunRecord]:
    """Completed runs of a comparison with written answers, and one that failed (`full`)."""
    folder = tmp_path_factory.mktemp("written") / "out"
    return {run.name: run for run in write_generation(folder, failed={"full": "CUDA out of memory"}, seeds=(0,)).runs}


def test_written_answers_are_shown_by_the_scores_that_fit_them(console: Console, written: dict[str, RunRecord]) -> None:
    table = LiveTable(console)
    runs = [replace(run, task="generation") for run in planned(("lora", 0), ("full", 0))]
    table.plan(runs, [None, None])
    table.start(runs[0])
    assert [cell.strip() for cell in shown(table)[1].split("┃")[-3:]] == ["Memory GB", "Left", ""]
    assert len(line_of(table, "lora")) == 8
    table.finish("lora", written["lora"])
    assert [cell.strip() for cell in shown(table)[1].split("┃")[-3:]] == ["JSON field F1", "Exact match %", ""]
    scores = written["lora"].scores
    assert line_of(table, "lora")[8:] == [f"{scores['json_fields']:.3f}", f"{100 * scores['exact_match']:.1f}"]
    table.start(runs[1])
    table.finish("full", written["full"])
    assert line_of(table, "full")[8:] == ["", ""]


def test_a_plain_line_says_how_answers_were_scored(written: dict[str, RunRecord]) -> None:
    console = Console(file=io.StringIO(), width=200)
    lines = PlainLines(console)
    runs = planned(("lora", 0), ("common", 0))
    lines.plan(runs, [None, None])
    for run in runs:
        lines.start(run)
        lines.finish(run.run_id, written[run.run_id])
    told = console.file.getvalue()  # type: ignore[attr-defined]
    scores = written["lora"].scores
    score = f"JSON field F1 {scores['json_fields']:.3f}, exact match {100 * scores['exact_match']:.1f} %"
    assert f"[1/2] lora, seed 0: {score}, training 200 s, in all 300 s" in told
    assert "[2/2] common, seed 0: JSON field F1 0." in told
