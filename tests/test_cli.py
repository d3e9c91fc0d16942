"""The command line as a user meets it: exit codes, one-line errors, tables, predictions."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary import canary
from forked_cli import showdown
from showdown import load, load_model
from showdown.core.errors import UserError
from showdown.core.version import VERSION
from tiny_pretrained import separable_rows, write_csv

HOSTILE = 'night | nurse <script>alert("1")</script> `x` [b]\u202e*_#'
ROWS = 60


def refused(*arguments: str | Path, folder: Path) -> str:
    """Run a command that must be refused with one line and code 2, and return the line."""
    found = showdown(*arguments, folder=folder)
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr
    (line,) = found.stderr.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def finished(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data, a comparison of every kind of method, and its results, one row of which cannot be had."""
    folder = tmp_path_factory.mktemp("cli")
    write_csv(folder / "rows.csv", separable_rows(ROWS), labels=("baker", "pilot", f'"{HOSTILE.replace(chr(34), "")}"'))
    for name in ("torch", "py", "json", "sklearn"):  # a stranger's files beside the data
        (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'w').close()\nraise SystemExit('taken')\n")
    comparison = {
        "model": {"id": str(pretrained("bert"))},
        "data": {"source": "rows.csv"},
        "methods": {
            "tfidf": {},
            "lora": {"learning_rate": 0.01},
            "elsewhere": {"method": "zero-shot", "model": "nobody/no-such-model"},
        },
        "protocol": {"epochs": 1, "max_tokens": 16, "split": {"kind": "single"}, "tuning": None},
        "seeds": [0],
    }
    (folder / "mine.yaml").write_text(json.dumps(comparison), encoding="utf-8")
    found = subprocess.run(  # -P: as the installed command is started
        [sys.executable, "-P", "-m", "showdown", "run", "mine.yaml", "--output", "out"],
        cwd=folder, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr + found.stdout
    (folder / "first.txt").write_text(found.stdout, encoding="utf-8")
    yield folder


@pytest.mark.parametrize("command", [["--help"], ["methods"], ["run", "--help"]])
def test_help_and_methods_import_no_torch(command: list[str]) -> None:
    code = (
        "import sys\nfrom showdown.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'peft'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout


def test_a_call_without_a_command_prints_the_help(tmp_path: Path) -> None:
    bare, asked = showdown(folder=tmp_path), showdown("--help", folder=tmp_path)
    assert (bare.returncode, bare.stderr, asked.returncode) == (2, "", 0)
    assert bare.stdout == asked.stdout
    lines = bare.stdout.splitlines()
    assert lines[0].strip() == "" or lines[0].startswith("Usage: ")
    assert "Compare fine-tuning methods on your labelled text" in bare.stdout
    assert not any(line.endswith("...") for line in lines[1:]), "no command's line is cut"
    for command in ("init", "run", "audit", "report", "show", "ls", "rm", "recommend", "predict", "data", "doctor"):
        assert any(line.split()[:1] == [command] for line in lines)


def test_the_version_is_said(tmp_path: Path) -> None:
    found = showdown("--version", folder=tmp_path)
    assert (found.returncode, found.stdout) == (0, f"showdown {VERSION}\n")


def test_no_code_is_taken_from_the_folder_of_the_data(finished: Path) -> None:
    assert not (finished / "ran").exists()


def test_a_run_ends_with_its_table_and_paths(finished: Path) -> None:
    said = (finished / "first.txt").read_text(encoding="utf-8")
    assert "TF-IDF + SVM" in said
    assert "unavailable" in said
    assert "nobody/no-such-model" in said
    assert "Recommendation\n* Take " in said
    for path in ("out/results.json", "out/report.md", "out/data/processed"):
        assert path in said
        assert (finished / path).exists()
    states = {run["name"]: run["status"] for run in json.loads((finished / "out/results.json").read_text())["runs"]}
    assert states == {"tfidf": "completed", "lora": "completed", "elsewhere": "unavailable"}


def test_a_second_run_does_nothing_again_but_what_was_unavailable(finished: Path) -> None:
    """Nor does another margin, on which no run depends."""
    before = {path: path.stat().st_mtime_ns for path in finished.glob("out/runs/[lt]*/result.json")}
    found = showdown("run", "mine.yaml", "--output", "out", "--margin", "3", folder=finished)
    assert found.returncode == 0
    assert "2 of 3 runs are finished" in found.stdout
    assert json.loads((finished / "out/results.json").read_text())["comparison"]["margin_points"] == 3.0
    assert "Worse, margin 3 points" in (finished / "out/report.md").read_text(encoding="utf-8")
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert len(before) == 2


def test_hostile_labels_are_shown_literally(finished: Path) -> None:
    report = (finished / "out/report.md").read_text(encoding="utf-8")
    assert "<script>" not in report
    assert "\\<script\\>" in report
    assert "\u202e" in report
    predictions = list(csv.DictReader((finished / "out").glob("runs/tfidf*/predictions.csv").__next__().open()))
    assert HOSTILE.replace('"', "") in {row["label"] for row in predictions}


def test_report_is_a_page_a_pdf_and_figures_unless_a_format_is_named(finished: Path) -> None:
    found = showdown("report", "out", folder=finished)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["out/report/figures", "out/report.md", "out/report.html", "out/report.pdf"]
    assert (finished / "out/report.pdf").read_bytes().startswith(b"%PDF-")
    assert "](report/figures/trade-off.png)" in (finished / "out/report.md").read_text(encoding="utf-8")
    named = showdown("report", "out", "--format", "csv", "--format", "latex", "--paper", folder=finished)
    assert named.stdout.split() == ["out/records.csv", "out/table.tex", "out/paper/paper.tex"]


def test_report_of_several_comparisons(finished: Path) -> None:
    shutil.copytree(finished / "out", finished / "second", dirs_exist_ok=True)
    found = showdown("report", "out", "second", "--output", "both", folder=finished)
    assert found.returncode == 0, found.stderr
    assert "All comparisons were tested on the same rows" in found.stdout
    assert "no difference between lora (out) and lora (second) was shown: both scored the same" in found.stdout
    assert found.stdout.split()[-2:] == ["both/comparisons.md", "both/comparisons.html"]
    assert "--output is for a report of several" in refused("report", "out", "--output", "both", folder=finished)
    assert "given twice" in refused("report", "out", "./out", folder=finished)
    assert "the formats are markdown, html" in refused("report", "out", "second", "--format", "pdf", folder=finished)


def test_predict_answers_a_text_and_a_file(finished: Path) -> None:
    one = showdown("predict", "out", "--method", "tfidf", "--text", "oven dough flour", folder=finished)
    assert one.stdout.startswith("baker\t")
    texts = ["oven dough, flour", '=cmd "quoted"\nsecond line', "runway altitude radar"]
    with (finished / "new.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    found = showdown(
        "predict", "out", "--method", "lora", "--file", "new.csv", "--output", "answers.csv", folder=finished
    )
    assert (found.returncode, found.stderr) == (0, "")
    with (finished / "answers.csv").open(newline="", encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    assert [row["text"] for row in answers] == texts
    assert all(0 < float(row["probability"]) <= 1 for row in answers)


def artifact_of(folder: Path, row: str) -> Path:
    (artifact,) = (folder / "out" / "runs").glob(f"{row}-*/artifact")
    return artifact


@pytest.mark.parametrize("row", [pytest.param("tfidf", marks=pytest.mark.long), "lora"])
def test_a_copied_model_predicts_as_its_comparison_does(finished: Path, tmp_path: Path, row: str) -> None:
    """From its folder alone, wherever that is: at the command line and from Python the same."""
    copy = shutil.copytree(artifact_of(finished, row), tmp_path / "elsewhere" / "model")
    texts = ["oven dough, flour", "runway altitude radar"]
    with (tmp_path / "new.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    (base,) = {run.spec.model.id for run in load(finished / "out").runs}
    alone = [copy, "new.csv", "--output", "alone.csv", "--base", base]
    for words in (alone, [finished / "out", row, "new.csv"]):
        found = showdown("predict", *words, "--coverage", "0.5", folder=tmp_path)
        assert (found.returncode, found.stderr) == (0, "")
    assert (tmp_path / "alone.csv").read_bytes() == (tmp_path / "new-predictions.csv").read_bytes()
    assert "new-predictions.csv is there already" in refused("predict", copy, "new.csv", folder=tmp_path)
    model = load_model(copy, base=base)
    assert model.predict(texts) == load_model(finished / "out", row).predict(texts)
    with (tmp_path / "alone.csv").open(newline="", encoding="utf-8") as file:
        assert [row["predicted"] for row in csv.DictReader(file)] == [
            found.label if found.sure else "" for found in model.predict(texts, coverage=0.5)
        ]


def test_a_saved_model_describes_itself(finished: Path) -> None:
    written = json.loads((artifact_of(finished, "lora") / "model.json").read_text())
    assert written["spec"]["model"]["revision"].startswith("files:")
    assert (written["task"], written["clean"], written["max_tokens"]) == ("classification", "whitespace", 16)
    assert (written["title"], written["score_kind"], len(written["labels"])) == ("LoRA", "probability", 3)
    assert {"finetuning-showdown", "torch", "python"} <= set(written["versions"])
    run = next(run for run in json.loads((finished / "out/results.json").read_text())["runs"] if run["name"] == "lora")
    counted = ("adapter_model.safetensors", "adapter_config.json", "manifest.json")
    assert run["model_size_mb"] == round(
        sum((artifact_of(finished, "lora") / name).stat().st_size for name in counted) / 1e6, 3
    )
    assert "model.json" not in (artifact_of(finished, "lora") / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no model.json: it is no saved model, or one of an earlier version; give the comparison"),
        ("{", "is damaged or of another version"),
        ('{"schema_version": 2}', "is damaged or of another version"),
        ("[" * 100_000, "is damaged or of another version"),
    ],
)
def test_a_model_without_its_description_says_what_is_missing(
    finished: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    """One of an earlier version still predicts through its comparison."""
    shutil.copytree(finished / "out", tmp_path / "out")
    artifact = artifact_of(tmp_path, "tfidf")
    (artifact / "model.json").unlink()
    if content is None:  # as an earlier version wrote it
        (artifact / "confidence.json").unlink()
        assert load_model(tmp_path / "out", "tfidf").predict(["oven dough flour"])[0].label == "baker"
    else:
        (artifact / "model.json").write_text(content)
    with pytest.raises(UserError) as caught:
        load_model(artifact)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_a_saved_model_is_refused(finished: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(artifact_of(finished, "tfidf"), tmp_path / "model")
    (copy / "extra").symlink_to(finished / "rows.csv")
    with pytest.raises(UserError, match="leads outside"):
        load_model(copy)
    with pytest.raises(UserError, match="leave `tfidf` out"):
        load_model(copy, "tfidf")
    with pytest.raises(UserError, match="no folder"):
        load_model(tmp_path / "nowhere")


def test_predict_leaves_what_it_is_not_sure_of_to_a_person(finished: Path) -> None:
    """The threshold is the run's own: the same answers, fewer of them given."""
    answer = ("predict", "out", "--method", "tfidf", "--file", "few.csv", "--output")
    texts = ["oven dough flour", "runway altitude radar", "nothing of the kind", "oven runway"]
    (finished / "few.csv").write_text("\n".join(["text", *texts, ""]), encoding="utf-8")
    found = showdown(*answer, "sure.csv", "--coverage", "0.5", folder=finished)
    assert (found.returncode, found.stderr) == (0, "")
    assert showdown(*answer, "all.csv", folder=finished).returncode == 0
    runs = {run["name"]: run for run in json.loads((finished / "out/results.json").read_text())["runs"]}
    record = runs["tfidf"]
    assert all(runs[name]["load"]["average"] >= 0 for name in ("tfidf", "lora"))
    threshold = next(point["threshold"] for point in record["confidence"]["points"] if point["coverage"] == 0.5)
    with (finished / "sure.csv").open(newline="") as sure, (finished / "all.csv").open(newline="") as every:
        pairs = list(zip(csv.DictReader(sure), csv.DictReader(every), strict=True))
    for some, full in pairs:
        is_sure = float(some["confidence"]) >= threshold
        assert some["decision"] == ("answered" if is_sure else "ask a person")
        assert some["predicted"] == (full["predicted"] if is_sure else "")
    given = sum(some["decision"] == "answered" for some, _ in pairs)
    assert f"{given} row{'' if given == 1 else 's'} answered, {len(texts) - given} left to a person" in found.stdout
    assert "thresholds are kept for 0.5, " in refused(*answer, "no.csv", "--coverage", "0.55", folder=finished)
    assert not (finished / "no.csv").exists()


def test_predict_reports_rows_that_it_cannot_answer(finished: Path) -> None:
    (finished / "holes.csv").write_bytes("id;text\n1;caf\xe9 oven\n2; \n".encode("latin-1"))
    named = ("--encoding", "latin-1", "--separator", ";")
    answer = ("predict", "out", "--method", "tfidf", "--file", "holes.csv", "--output")
    found = showdown(*answer, "answered.csv", *named, folder=finished)
    assert found.stdout.splitlines() == ["1 row has no text (row 2), not answered", "1 row answered: answered.csv"]
    (finished / "taken").mkdir()
    assert "cannot write taken: this is a folder" in refused(*answer, "taken", folder=finished)


def test_a_damaged_or_foreign_model_is_one_line(finished: Path) -> None:
    """Cut short, and in the same length something else: a pickle, which is not run."""
    shutil.copytree(finished / "out", finished / "hurt")
    (weights,) = finished.glob("hurt/runs/lora*/artifact/adapter_model.safetensors")
    whole, song = weights.read_bytes(), canary(finished / "sung")
    weights.write_bytes(song.ljust(len(whole), b"."))
    answer = ("predict", "hurt", "--method", "lora", "--text", "x")
    assert "the saved model of `lora` in hurt/runs/lora" in refused(*answer, folder=finished)
    weights.write_bytes(whole[:-1])
    (weights.parent / "adapter_model.bin").write_bytes(song)
    assert "adapter_model.safetensors is cut short or missing; remove hurt/runs/lora" in refused(
        *answer, folder=finished
    )
    assert not (finished / "sung").exists()


def test_bad_input_is_one_line_with_the_mend(finished: Path) -> None:
    assert "did you mean `lora`?" in refused("predict", "out", "--method", "lroa", "--text", "x", folder=finished)
    assert "either --text or --file" in refused("predict", "out", "--method", "lora", folder=finished)
    assert "one word too many" in refused("predict", "out", "lora", "new.csv", "more.csv", folder=finished)
    assert "it has tfidf, lora, elsewhere" in refused("predict", "out", "--text", "x", folder=finished)
    assert "text 1 of 1 is empty" in refused("predict", "out", "--method", "tfidf", "--text", " ", folder=finished)
    assert "it is a file" in refused("run", "mine.yaml", "--output", "rows.csv", folder=finished)
    assert "no results.json" in refused("report", "nowhere", folder=finished)
    assert "did you mean `markdown`?" in refused("report", "out", "--format", "markdwn", folder=finished)
    assert "--bogus" in refused("run", "mine.yaml", "--bogus", folder=finished)
    assert "did you mean `rows.csv`?" in refused("run", "row.csv", folder=finished)
    assert "did you mean `label`?" in refused("run", "rows.csv", "--label", "lable", folder=finished)
    assert "max_memory_gb" in refused("recommend", "out", "--max-memory-gb", "-1", folder=finished)


def test_recommend_names_a_row_or_the_nearest(finished: Path) -> None:
    assert showdown("recommend", "out", folder=finished).stdout.startswith("Take ")
    assert "none qualifies" in showdown("recommend", "out", "--max-memory-gb", "0.001", folder=finished).stdout


def test_the_margin_is_the_users(finished: Path) -> None:
    found = showdown("recommend", "out", "--margin", "2.5", folder=finished)
    assert found.returncode == 0, found.stderr
    assert "the margin is 1 point" not in found.stdout
    written = showdown("report", "out", "--format", "markdown", "--margin", "2.5", folder=finished)
    assert written.returncode == 0, written.stderr
    assert "Worse, margin 2.5 points" in (finished / "out/report.md").read_text(encoding="utf-8")
    for command in (("recommend", "out"), ("report", "out")):
        assert "`margin_points` is over 0 and at most 100 (given: 0)" in refused(
            *command, "--margin", "0", folder=finished
        )
    assert "margin_points" in refused("run", "mine.yaml", "--output", "other", "--margin", "-1", folder=finished)


@pytest.mark.long
def test_the_metric_is_the_users(finished: Path) -> None:
    found = showdown("recommend", "out", "--metric", "mcc", folder=finished)
    assert "recommended by MCC, a point of which is 0.01." in found.stdout, found.stderr
    for command in (("recommend", "out"), ("run", "mine.yaml", "--output", "other")):
        said = refused(*command, "--metric", "f1:pilt", folder=finished)
        assert "no label `pilt` in the data; did you mean `pilot`?" in said
    again = showdown("run", "mine.yaml", "--output", "out", "--metric", "average_precision:pilot", folder=finished)
    assert "2 of 3 runs are finished" in again.stdout, "no run depends on it"
    assert "| Method | Average precision of pilot |" in (finished / "out/report.md").read_text(encoding="utf-8")


def test_prices_of_the_users_own_come_first(finished: Path) -> None:
    example = showdown("recommend", "out", "--max-cost", "5", folder=finished).stdout
    assert "an example in US dollars" in example
    own = showdown("recommend", "out", "--max-cost", "5", "--price-per-hour", "36", folder=finished).stdout
    assert "At 36 an hour (your own price)." in own
    assert (
        "none qualifies"
        in showdown("recommend", "out", "--max-cost", "0.0001", "--price-per-hour", "3600", folder=finished).stdout
    )
    priced = ["--price-per-hour", "0", "--price-per-kwh", "0.3"]
    found = showdown("report", "out", "--format", "markdown", *priced, folder=finished)
    assert found.returncode == 0, found.stderr
    assert "(your own price, 0.3 a kWh)" in (finished / "out/report.md").read_text(encoding="utf-8")
    said = refused("recommend", "out", "--price-per-kwh", "0.3", folder=finished)
    assert "--price-per-kwh needs --price-per-hour" in said
    assert "price_per_hour" in refused("recommend", "out", "--price-per-hour", "-1", folder=finished)
    assert "price_per_kwh" in refused(
        "recommend", "out", "--price-per-hour", "1", "--price-per-kwh", "-1", folder=finished
    )


def test_audit_in_json_and_strict(finished: Path) -> None:
    found = showdown("audit", "mine.yaml", "--json", "--strict", "--output", "listing.csv", folder=finished)
    facts = json.loads(found.stdout)
    assert facts["audit"]["rows_in"] == ROWS
    assert found.returncode == (3 if facts["findings"] else 0)
    assert facts["findings"], "the separable rows hold copies"
    assert (finished / "listing.csv").read_text().startswith("row,finding,detail")


def test_audit_of_given_files_lists_the_copies_across_them(finished: Path) -> None:
    rows = [f"a{row} b{row} c{row} d{row},{('baker', 'pilot')[row % 2]}" for row in range(60)]
    sides = {"train": rows[:40], "validation": rows[40:50], "test": [*rows[50:], rows[0]]}
    for side, lines in sides.items():
        (finished / f"{side}.csv").write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    asked = json.loads((finished / "mine.yaml").read_text(encoding="utf-8"))
    files = {side: f"{side}.csv" for side in sides}
    asked |= {"data": {"files": files, "near_duplicate_jaccard": 0.99}}
    asked["protocol"] |= {"split": {"kind": "given"}}
    (finished / "given.yaml").write_text(json.dumps(asked), encoding="utf-8")
    found = showdown("audit", "given.yaml", "--strict", "--output", "across.csv", folder=finished)
    assert found.returncode == 3, found.stderr
    assert "LEAK: 1 of 11 test rows" in found.stdout
    listed = list(csv.DictReader((finished / "across.csv").open(encoding="utf-8", newline="")))
    across = [line for line in listed if line["finding"] == "copy across the split"]
    assert [(line["row"], line["detail"]) for line in across] == [
        ("61", "in the test rows, a copy of it in the training rows")
    ]
    assert "are copies of training rows" in refused("run", "given.yaml", "--output", "never", folder=finished)
