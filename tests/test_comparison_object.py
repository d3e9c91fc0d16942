"""A comparison as an object does what the functions do, and shows itself in a notebook."""

from pathlib import Path

import pytest

import showdown
from runner.immediate import use_here
from showdown.comparison import _overrides
from showdown.core.errors import UserError
from showdown.testing.tiny import separable_rows, write_csv


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> showdown.Comparison:
    folder = tmp_path_factory.mktemp("object")
    data = write_csv(folder / "rows.csv", separable_rows(60))
    comparison = showdown.Comparison(
        data,
        output=folder / "out",
        methods=["majority", "tfidf"],
        seeds=[0],
        data={"near_duplicate_jaccard": 0.99},
        protocol={"split": {"kind": "single"}},
    )
    with pytest.MonkeyPatch.context() as patch:
        use_here(patch)
        assert comparison.run(quiet=True) is comparison
    return comparison


def test_settings_change_what_a_file_says_and_leave_the_rest(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", separable_rows(20))
    found = showdown.Comparison(data, methods=["lora"], seeds=[0, 1], protocol={"epochs": 5}, name="mine")
    assert found.definition.seeds == [0, 1]
    assert found.definition.protocol.epochs == 5
    assert found.definition.data.source == str(data)
    assert list(found.definition.methods) == ["lora"]
    assert found.output == Path("showdown-out/mine")


def test_mappings_take_settings_and_finished_definitions_do_not(tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "rows.csv", separable_rows(20)))
    found = showdown.Comparison({"data": {"source": data}, "methods": {"tfidf": {}}}, seeds=[3])
    assert found.definition.seeds == [3]
    with pytest.raises(UserError, match="a file or a mapping"):
        showdown.Comparison(found.definition, seeds=[4])
    with pytest.raises(UserError, match="epochs"):
        showdown.Comparison(data, protocol={"epoch": 5})


def test_methods_may_have_settings(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", separable_rows(20))
    wanted = {"lora": {}, "lora-r64": {"method": "lora", "rank": 64}}
    assert showdown.Comparison(data, methods=wanted).definition.methods == wanted


def test_settings_are_written_as_on_the_command_line() -> None:
    written = _overrides({"seeds": [0], "protocol": {"split": {"kind": "single"}}, "methods": {"lora": {"rank": 4}}})
    assert written == ["seeds=[0]", 'protocol.split={"kind": "single"}', 'methods={"lora": {"rank": 4}}']


def test_results_are_a_frame_a_verdict_and_charts(made: showdown.Comparison) -> None:
    frame = pytest.importorskip("pandas", reason="pandas is not installed").DataFrame
    records = made.frame()
    assert isinstance(records, frame)
    assert set(records["name"]) == {"majority", "tfidf"}
    assert list(records["accuracy"]) == [run.accuracy for run in made.results.runs]
    assert made.judge(metric="f1_macro").metric == "f1_macro"
    assert "trade-off" in made.figures()
    assert made.plot().chart.to_dict()["$schema"].startswith("https://vega.github.io")
    assert made.judge(limits={"max_latency_ms": 1e-9}).recommendation.chosen is None
    with pytest.raises(UserError, match="no figure `trade-of`"):
        made.plot("trade-of")


def test_the_recommended_row_answers(made: showdown.Comparison) -> None:
    texts = ["beach sand sea", "invoice ledger audit"]
    chosen = made.judge().recommendation.chosen
    assert chosen is not None
    assert made.predict(texts) == showdown.predict(made.output, chosen, texts)
    assert made.predict(texts, "majority") == showdown.predict(made.output, "majority", texts)


def test_it_shows_itself(made: showdown.Comparison, tmp_path: Path) -> None:
    shown = made._repr_html_()
    assert made.judge().recommendation.sentence in shown
    assert "<th>95 % interval</th>" in shown, "the table is that of the report"
    assert 'src="data:image/svg+xml;base64,' in shown
    assert "tfidf" in shown
    waiting = showdown.Comparison(made.definition, output=tmp_path / "nothing")
    assert "not run yet" in waiting._repr_html_()
    assert "tfidf" in waiting._repr_html_()
