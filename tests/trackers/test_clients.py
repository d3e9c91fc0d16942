"""What the real clients wrote without a network, read back; and a real MLflow server on the loopback."""

import getpass
import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.trackers.mirror import Mirror
from showdown.trackers.table import TRACKERS, build
from showdown.trackers.tracker import Entry
from showdown.trackers.upload import upload
from trackers.conftest import SECRET, STEPS

PROJECT = "small"


@pytest.fixture(scope="module")
def mirrored(entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a comparison that all trackers have."""
    folder = tmp_path_factory.mktemp("mirrored")
    said: list[str] = []
    for name in TRACKERS:
        Mirror(name, folder, PROJECT, said.append).write(entries)
    assert said == []
    return folder / "trackers"


def of_row(entries: list[Entry], row: str) -> Entry:
    return next(entry for entry in entries if entry.config.get("row") == row)


def wandb_records(folder: Path) -> list[Any]:
    """Records of an offline run: LevelDB's log format after a header of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("*.wandb")
    content, found, whole, at = path.read_bytes(), [], b"", 7
    while at + 7 <= len(content):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        size, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            found.append(Record.FromString(whole))
            whole = b""
    return found


def test_wandb_has_settings_curves_samples_and_scores(mirrored: Path, entries: list[Entry]) -> None:
    lora = of_row(entries, "lora")
    (folder,) = (mirrored / "wandb" / "wandb").glob(f"offline-run-*-{lora.key}")
    records = wandb_records(folder)
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.run_id, run.display_name, run.project) == (lora.key, lora.name, PROJECT)
    assert (run.host, run.git.remote_url, run.git.commit) == ("", "", "")
    config = {item.key: json.loads(item.value_json) for item in run.config.update if item.key != "_wandb"}
    assert config == {key: value for key, value in lora.config.items() if value is not None}
    history = []
    for record in records:
        if record.HasField("history"):
            history.append({".".join(item.nested_key) or item.key: item.value_json for item in record.history.item})
    loss = [json.loads(row["training/loss"]) for row in history if "training/loss" in row]
    assert loss == [row["loss"] for row in lora.series[0].rows]
    memory = [json.loads(row["system/ram_gb"]) for row in history if "system/ram_gb" in row]
    assert memory == [row["ram_gb"] for row in lora.series[2].rows]
    summary = {}
    for record in records:
        if record.HasField("summary"):
            summary |= {item.key: item.value_json for item in record.summary.update}
    assert json.loads(summary["accuracy"]) == lora.scores["accuracy"]
    kinds = {record.WhichOneof("record_type") for record in records}
    assert not kinds & {"output", "output_raw", "stats", "request", "environment"}, kinds


def test_wandbs_summary_holds_the_table(mirrored: Path, entries: list[Entry]) -> None:
    (folder,) = (mirrored / "wandb" / "wandb").glob("offline-run-*-summary")
    (file,) = folder.rglob("*.table.json")
    table = json.loads(file.read_text())
    assert entries[-1].table is not None
    assert table["columns"] == entries[-1].table.columns
    assert table["data"] == entries[-1].table.rows


def test_tensorboard_has_curves_scores_and_the_table(mirrored: Path, entries: list[Entry]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    lora = of_row(entries, "lora")
    events = EventAccumulator(str(mirrored / "tensorboard" / lora.key)).Reload()
    loss = events.Scalars("training/loss")
    assert [event.step for event in loss] == list(range(1, STEPS + 1))
    assert [event.value for event in loss] == pytest.approx([row["loss"] for row in lora.series[0].rows])
    system = events.Scalars("system/ram_gb")
    assert [event.wall_time - system[0].wall_time for event in system] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    assert events.Scalars("scores/accuracy")[0].value == pytest.approx(lora.scores["accuracy"])
    assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")
    table = EventAccumulator(str(mirrored / "tensorboard" / "summary")).Reload().Tensors("comparison")
    text = table[0].tensor_proto.string_val[0].decode()
    assert text.splitlines()[0].startswith("| row | method | accuracy |")
    assert len(text.splitlines()) == 2 + 5


def check_mlflow(client: Any, entries: list[Entry]) -> None:
    experiment = client.get_experiment_by_name(PROJECT)
    runs = {run.data.tags["showdown.key"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {entry.key for entry in entries}
    lora = of_row(entries, "lora")
    run = runs[lora.key]
    assert run.info.run_name == lora.name
    assert run.data.params == {key: str(value) for key, value in {**lora.config, "status": lora.status}.items()}
    assert run.data.metrics["accuracy"] == lora.scores["accuracy"]
    loss = client.get_metric_history(run.info.run_id, "training/loss")
    assert [(point.step, point.value) for point in loss] == [(row["step"], row["loss"]) for row in lora.series[0].rows]
    memory = client.get_metric_history(run.info.run_id, "system/ram_gb")
    assert [point.timestamp - memory[0].timestamp for point in memory] == [0, 500, 1000, 1500, 2000, 2500]
    assert runs[of_row(entries, "qlora").key].info.status == "FAILED"
    assert set(run.data.tags) == {"showdown.key", "showdown.digest", "mlflow.runName"}


def test_mlflow_has_settings_curves_samples_and_scores(mirrored: Path, entries: list[Entry]) -> None:
    from mlflow.tracking import MlflowClient

    check_mlflow(MlflowClient(tracking_uri=f"sqlite:///{mirrored / 'mlflow' / 'mlflow.db'}"), entries)
    (table,) = (mirrored / "mlflow" / "artifacts").rglob("comparison.json")
    assert entries[-1].table is not None
    assert json.loads(table.read_text()) == entries[-1].table.model_dump()


def test_trackio_has_settings_curves_samples_and_scores(mirrored: Path, entries: list[Entry]) -> None:
    lora = of_row(entries, "lora")
    database = sqlite3.connect(mirrored / "trackio" / f"{PROJECT}.db")
    told = database.execute("SELECT metrics FROM metrics WHERE run_name = ? ORDER BY id", [lora.key]).fetchall()
    rows = [json.loads(row) for (row,) in told]
    assert [row["training/loss"] for row in rows if "training/loss" in row] == [
        row["loss"] for row in lora.series[0].rows
    ]
    assert [row["accuracy"] for row in rows if "accuracy" in row] == [lora.scores["accuracy"]]
    ((config,),) = database.execute("SELECT config FROM configs WHERE run_name = ?", [lora.key]).fetchall()
    kept = json.loads(config)
    assert kept["settings.learning_rate"] == 2e-4
    assert kept["_Username"] is None
    assert database.execute("SELECT count(DISTINCT run_name) FROM metrics").fetchone()[0] >= len(entries) - 1
    database.close()


def every_byte(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.name.encode() + path.read_bytes()


def test_no_word_of_the_data_and_no_name_of_this_machine_is_in_any_byte(mirrored: Path) -> None:
    looked_at = 0
    program = Path(sys.argv[0]).name
    hidden = [SECRET, "baker", "five years", f"{socket.gethostname()}.", "pytest"]
    hidden += [program] if len(program) > 4 else []  # `-c`, as parallel tests are started, is in many a binary file
    for path, content in every_byte(mirrored):
        looked_at += 1
        for word in hidden:
            # Where the files of the table lie is in the local stores, for sending them later; it is not sent itself.
            if word == "pytest" and ("mlflow" in path.parts or path.name == "run-summary.wandb"):
                continue
            assert word.encode() not in content, (word, path)
        assert f'"{getpass.getuser()}"'.encode() not in content, path
    assert looked_at > 15


@pytest.mark.long
@pytest.mark.parametrize("name", TRACKERS)
def test_written_twice_it_is_there_once(name: str, mirrored: Path, entries: list[Entry]) -> None:
    """The same entries start no process; a changed one takes the place of the one before."""
    said: list[str] = []
    mirror = Mirror(name, mirrored.parent, PROJECT, said.append)
    folder = mirrored / name
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    mirror.write(entries)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    changed = entries[0].model_copy(update={"scores": {**entries[0].scores, "accuracy": 0.125}})
    mirror.write([changed])
    assert said == []
    assert scores_of(name, folder, entries[0].key) == [0.125]
    mirror.write(entries)
    assert scores_of(name, folder, entries[0].key) == pytest.approx([entries[0].scores["accuracy"]])


def scores_of(name: str, folder: Path, key: str) -> list[float]:
    """Every accuracy that a tracker holds for a key."""
    if name == "wandb":
        records = [record for run in folder.glob(f"wandb/offline-run-*-{key}") for record in wandb_records(run)]
        items = [item for record in records if record.HasField("summary") for item in record.summary.update]
        return [json.loads(item.value_json) for item in items if item.key == "accuracy"]
    if name == "tensorboard":
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return [event.value for event in EventAccumulator(str(folder / key)).Reload().Scalars("scores/accuracy")]
    if name == "mlflow":
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
        experiment = client.get_experiment_by_name(PROJECT)
        found = client.search_runs([experiment.experiment_id], f"tags.`showdown.key` = '{key}'")
        return [run.data.metrics["accuracy"] for run in found]
    with sqlite3.connect(folder / f"{PROJECT}.db") as database:
        told = database.execute("SELECT metrics FROM metrics WHERE run_name = ?", [key]).fetchall()
    return [row["accuracy"] for row in (json.loads(text) for (text,) in told) if "accuracy" in row]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"),
        *("--artifacts-destination", str(tmp_path / "artifacts")),
    ]
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(tmp_path)}
    with (tmp_path / "server.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=quiet, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while True:
            assert process.poll() is None, (tmp_path / "server.txt").read_text()
            assert time.monotonic() < deadline, (tmp_path / "server.txt").read_text()
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).read()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.long
def test_a_real_mlflow_server_gets_every_run_once(
    server: str,
    mirrored: Path,
    entries: list[Entry],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", raising=False)
    tracker = build("mlflow", mirrored / "mlflow", PROJECT)
    assert tracker.upload() == f"{len(entries)} runs sent, 0 there already"
    check_mlflow(MlflowClient(tracking_uri=server), entries)
    assert tracker.upload() == f"0 runs sent, {len(entries)} there already"
    check_mlflow(MlflowClient(tracking_uri=server), entries)
    assert capsys.readouterr().out == "", "the client's own lines about every run"


def test_sending_says_what_is_missing(mirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="nothing was tracked"):
        list(upload(tmp_path, PROJECT))
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_URI"):
        build("mlflow", mirrored / "mlflow", PROJECT).upload()
    with pytest.raises(UserError, match="set TRACKIO_SPACE_ID"):
        build("trackio", mirrored / "trackio", PROJECT).upload()
    assert "nothing to send" in build("tensorboard", mirrored / "tensorboard", PROJECT).upload()


def test_a_tracker_that_cannot_send_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("mlflow", "tensorboard", "trackio"):
        (tmp_path / "trackers" / name).mkdir(parents=True)
    sent = upload(tmp_path, PROJECT)
    name, said = next(sent)
    assert name == "tensorboard"
    assert "nothing to send" in said
    with pytest.raises(
        UserError, match=r"^mlflow: set MLFLOW_TRACKING_URI[^\n]+; trackio: set TRACKIO_SPACE_ID[^\n]+$"
    ):
        next(sent)


def test_sending_to_wandb_without_an_account_says_how_to_log_in(
    mirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*os.environ]:
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(UserError) as told:
        build("wandb", mirrored / "wandb", PROJECT).upload()
    assert str(told.value) == "wandb: upload failed: No API key configured; `wandb login` sets the account"
