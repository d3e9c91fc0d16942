"""Written answers side by side: which rows are shown, and how an answer differs from the wanted one."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generation_results import Arm, made_rows, write_generation
from processed_prompts import write_processed
from showdown.core.csv_writer import csv_writer
from showdown.core.errors import UserError
from showdown.core.record import Results
from showdown.core.traits import Traits, fine_tuned
from showdown.report.answer_difference import Field, Piece, differing_fields, marked
from showdown.report.samples import Samples, samples
from showdown.verdict.summary import judge

PROMPTED = Traits(role="prompted", deterministic=True, reads="tokens")
TWO = {
    "few_shot": Arm(method="few_shot", title="Few-shot", traits=PROMPTED, skill=0.6, cut=1),
    "lora": Arm(method="lora", title="LoRA", traits=fine_tuned(), skill=0.9, rise=0.1),
}


@pytest.mark.parametrize(
    ("wanted", "written"),
    [
        ("The cat sat.", "The dog sat."),
        ("one two three", "one three"),
        ("", "something"),
        ("something", ""),
        ("two\n\nlines", "two lines"),
        ("same", "same"),
        ("\u00e9t\u00e9 \U0001f600 ici", "ete \U0001f600 ici"),
        (" ".join(str(number) for number in range(700)), "0 1 2"),
    ],
)
def test_the_pieces_are_both_texts(wanted: str, written: str) -> None:
    pieces = marked(wanted, written)
    assert "".join("".join(one.text for one in pieces if one.kind != "added").split()) == "".join(wanted.split())
    assert "".join(one.text for one in pieces if one.kind != "missing") == written
    assert (wanted.split() == written.split()) == all(one.kind == "same" for one in pieces)


def test_the_difference_is_marked_word_by_word() -> None:
    assert marked("The cat sat.", "The dog sat.") == (
        Piece(text="The ", kind="same"),
        Piece(text="cat", kind="missing"),
        Piece(text="dog", kind="added"),
        Piece(text=" sat.", kind="same"),
    )


def test_an_answer_with_hardly_a_word_in_common_is_shown_whole() -> None:
    written = "The gondolas need 16 haul rope rollers, go tonight."
    wanted = '{"customer": "Summit Cable Car", "item": "haul rope roller", "quantity": 16, "day": null, "urgent": true}'
    assert marked(wanted, written) == (Piece(text=written, kind="added"),)


def test_white_space_alone_is_not_marked() -> None:
    assert marked('{"day": "Tue", "urgent": false}', '{\n  "day": "Mon",\n  "urgent": false\n}') == (
        Piece(text='{\n  "day": "', kind="same"),
        Piece(text="Tue", kind="missing"),
        Piece(text="Mon", kind="added"),
        Piece(text='",\n  "urgent": false\n}', kind="same"),
    )


def test_of_json_the_fields_that_differ_are_named() -> None:
    wanted = '{"name": "Ada", "age": 3, "at": {"town": "Graz"}, "tags": ["a", "b"], "gone": null}'
    written = '{"age": 4, "name": "Ada", "at": {"town": "Graz"}, "tags": ["a", "c"], "new": {}}'
    assert differing_fields(wanted, written) == (
        Field(name="age", wanted="3", written="4"),
        Field(name="tags.1", wanted='"b"', written='"c"'),
        Field(name="gone", wanted="null", written=None),
        Field(name="new", wanted=None, written="{}"),
    )
    assert differing_fields(wanted, wanted) == ()
    assert differing_fields(wanted, "no JSON") is None
    assert differing_fields("[1]", "[1]") is None
    assert differing_fields("[" * 5_000, wanted) is None


def shown(folder: Path, *, metric: str | None = None, flips: int = 5, others: int = 3) -> Samples:
    results = Results.model_validate_json((folder / "results.json").read_bytes())
    found = samples(results, judge(results, folder, metric=metric), folder, flips=flips, others=others)
    assert found is not None
    return found


def scores_of(folder: Path, arm: str, key: str = "score: json_fields") -> dict[int, float]:
    """Mean over seeds of what each row scores, read from the predictions files by itself."""
    found: dict[int, list[float]] = {}
    for file in folder.glob(f"runs/{arm}-*.csv"):
        with file.open(encoding="utf-8", newline="") as opened:
            for line in csv.DictReader(opened):
                found.setdefault(int(line["row"]), []).append(float(line[key]))
    return {row: sum(values) / len(values) for row, values in found.items()}


def test_rows_on_which_methods_differ_most_come_first(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO)
    write_processed(folder, made_rows(60), system="Answer in JSON.")
    first, *_ = shown(folder).groups
    assert first.title == "Methods differ"
    apart = {row: abs(value - scores_of(folder, "few_shot")[row]) for row, value in scores_of(folder, "lora").items()}
    assert first.count == sum(gap > 0 for gap in apart.values())
    gaps = [apart[sample.row] for sample in first.samples]
    assert gaps == sorted(apart.values(), reverse=True)[:5]
    row = made_rows(60)[first.samples[0].row - 1]
    assert (first.samples[0].prompt, first.samples[0].wanted) == (row.prompt, row.answer)
    assert [answer.name for answer in first.samples[0].answers] == ["few_shot", "lora"]


def test_rows_that_none_and_that_all_got_right_are_shown_beside_those(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO, wanted="number", rows=200)
    write_processed(folder, made_rows(200, wanted="number"))
    differ, none, every = shown(folder, flips=4, others=2).groups
    assert [group.title for group in (differ, none, every)] == [
        "Methods differ",
        "No method as wanted",
        "All methods as wanted",
    ]
    assert [len(group.samples) for group in (differ, none, every)] == [4, 2, 2]
    assert not any(answer.right for sample in none.samples for answer in sample.answers)
    assert all(answer.right for sample in every.samples for answer in sample.answers)
    rows = [sample.row for group in (differ, none, every) for sample in group.samples]
    assert len(set(rows)) == len(rows), "no row is shown twice"
    right = [min(scores_of(folder, arm, "score: exact_match")[row] for arm in TWO) for row in range(1, 201)]
    assert every.count >= sum(value == 1.0 for value in right)
    assert every.count + none.count < 200


def test_the_floor_is_left_out_and_other_tasks_have_no_samples(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_generation(folder)
    names = {answer.name for group in shown(folder).groups for sample in group.samples for answer in sample.answers}
    assert names == {"zero_shot", "few_shot", "full", "lora", "qlora"}
    labelled = results.model_copy(update={"runs": [run.model_copy(update={"writing": None}) for run in results.runs]})
    assert samples(labelled, judge(results, folder), folder, flips=3, others=1) is None


def test_a_metric_of_losses_goes_by_the_loss_of_the_wanted_answers(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO)
    found = shown(folder, metric="token_loss").groups[0].samples[0]
    for answer in found.answers:
        losses = scores_of(folder, answer.name, "loss")[found.row], scores_of(folder, answer.name, "loss_tokens")
        assert float(answer.score.split()[0]) == pytest.approx(losses[0] / losses[1][found.row], abs=2e-3)
    assert shown(folder, metric="token_loss").heading == "Token loss"


def test_copies_are_shown_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO, rows=40, copies=4)
    rows = [sample.row for group in shown(folder, flips=40, others=40).groups for sample in group.samples]
    groups = [(row - 1) // 4 for row in rows]
    assert len(groups) == len(set(groups)) <= 10


def rewrite(folder: Path, arm: str, seed: int, change: Callable[[list[str]], None]) -> None:
    """Change the lines of a predictions file, and keep its record true."""
    results = Results.model_validate_json((folder / "results.json").read_bytes())
    runs = []
    for run in results.runs:
        if (run.name, run.seed) == (arm, seed):
            path = folder / str(run.predictions_file)
            with path.open(encoding="utf-8", newline="") as opened:
                heading, *lines = list(csv.reader(opened))
            for line in lines:
                change(line)
            file = io.StringIO()
            csv_writer(file).writerows([heading, *lines])
            content = file.getvalue().encode()
            path.write_bytes(content)
            runs.append(run.model_copy(update={"predictions_sha256": hashlib.sha256(content).hexdigest()}))
        else:
            runs.append(run)
    (folder / "results.json").write_text(results.model_copy(update={"runs": runs}).model_dump_json(), encoding="utf-8")


def test_of_several_seeds_the_most_frequent_answer_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO, seeds=(0, 1, 2))

    def said(text: str) -> Callable[[list[str]], None]:
        def change(line: list[str]) -> None:
            line[2] = text

        return change

    for seed, text in enumerate(("once", "twice", "twice")):
        rewrite(folder, "lora", seed, said(text))
    answers = [
        answer
        for group in shown(folder).groups
        for sample in group.samples
        for answer in sample.answers
        if answer.name == "lora"
    ]
    assert {(answer.text, answer.seeds, answer.of_seeds) for answer in answers} == {("twice", 2, 3)}
    assert all("on average, 2 of 3 seeds wrote this" in answer.about("F1") for answer in answers)


def test_a_cut_answer_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO)
    answers = [answer for group in shown(folder, flips=60).groups for one in group.samples for answer in one.answers]
    cut = [answer for answer in answers if not answer.finished]
    assert {answer.name for answer in cut} == {"few_shot"}
    assert cut[0].about("F1").endswith("cut at the limit")


def test_without_the_processed_data_answers_stand_alone(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_generation(folder, arms=TWO)
    found = shown(folder)
    first = found.groups[0].samples[0]
    assert (first.prompt, first.wanted) == (None, None)
    assert [answer.pieces for answer in first.answers] == [
        (Piece(text=answer.text, kind="same"),) for answer in first.answers
    ]
    assert not found.has_texts
    assert "The texts are yours" not in found.note
    write_processed(folder, made_rows(60))
    assert "The texts are yours" in shown(folder).note
    (folder / "data" / "processed" / "test.jsonl").write_text("{}\n")
    assert not shown(folder).has_texts


def test_damaged_predictions_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_generation(folder, arms=TWO)
    verdict = judge(results, folder)
    file = folder / str(results.runs[0].predictions_file)
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    with pytest.raises(UserError, match="damaged predictions"):
        samples(results, verdict, folder, flips=3, others=1)


def test_of_many_methods_the_best_are_shown(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    many = {
        f"arm{place:02d}": Arm(method="lora", title="LoRA", traits=fine_tuned(), skill=0.3 + place / 40, rise=0.1)
        for place in range(15)
    }
    write_generation(folder, arms=many, seeds=(0,))
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    scores = {run["name"]: run["scores"]["json_fields"] for run in results["runs"]}
    best = sorted(scores, key=lambda name: -scores[name])[:12]
    names = {answer.name for group in shown(folder).groups for one in group.samples for answer in one.answers}
    assert names == set(best)
