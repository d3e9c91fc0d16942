"""A method that a newcomer adds is judged by its traits: here a naive Bayes, which is cheap and knows no seed."""

import pytest

from showdown.core.method import FittedMethod
from showdown.core.traits import Reference, Traits
from showdown.methods.table import METHODS, method_class, read_method
from showdown.report.figures.design import styles
from showdown.report.latex.paper import paper
from showdown.report.table import comparison_table
from showdown.verdict.confounds import network_of
from showdown.verdict.spread import prior_words
from showdown.verdict.summary import judge

PAPER = Reference(key="mccallum1998", text=r"Andrew McCallum & Kamal Nigam. \input{secrets} for naive Bayes. 1998.")


class NaiveBayes(FittedMethod):
    """Word counts and Bayes' rule; nothing here is fitted."""

    title = "Naive Bayes"
    traits = Traits(role="cheap", deterministic=True, reads="words", citation=PAPER)

    def fit(self, train, job):
        raise NotImplementedError

    def save(self, classifier, folder):
        raise NotImplementedError

    def load(self, folder, job):
        raise NotImplementedError


class Traitless(NaiveBayes):
    """What a newcomer forgot."""

    traits = None  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS._built_in, "bayes", f"{__name__}:NaiveBayes")


@pytest.fixture
def built(built, answers):
    """Fill a comparison in which the cheap method is ahead of two fine-tuned ones, with one seed each."""
    inspection = {"lengths": {"longest_tokens": 900}}
    for name, wrong, protocol in (("bayes", 20, {}), ("full", 90, {"epochs": 7}), ("lora", 100, {"epochs": 7})):
        predicted, true = answers(300, wrong)
        built.run(name, predicted, true, method=name, protocol=protocol)
    results = built.results
    object.__setattr__(built, "judged", results.model_copy(update={"data": {**results.data, "inspection": inspection}}))
    return built


def test_it_is_a_cheap_rival_and_no_fine_tuned_method(built) -> None:
    sentences = judge(built.judged, built.folder).sentences
    assert any("the cheap rival bayes beats fine-tuning: full, the best fine-tuned method," in one for one in sentences)
    assert not any("bayes, the best fine-tuned" in one for one in sentences)


def test_no_spread_between_its_reruns_is_assumed(built) -> None:
    verdict = judge(built.judged, built.folder)
    single = next(one for one in verdict.sentences if "ran with one seed" in one)
    assert single.startswith("full, lora ran with one seed each")
    assert any(prior_words() in one for one in verdict.assumptions)
    alone = built.judged.model_copy(update={"runs": [run for run in built.judged.runs if run.name == "bayes"]})
    assert not any(prior_words() in one for one in judge(alone, built.folder).assumptions)


def test_it_reads_whole_texts_and_no_network_and_no_epochs(built) -> None:
    assert method_class("bayes").needs() == "text"
    verdict = judge(built.judged, built.folder)
    by_key = {item.key: item.values for item in verdict.confounds}
    assert by_key["part of each text that is read"]["bayes"] == ["whole"]
    assert "epochs" not in by_key, "a method that trains no network has no epochs to differ in"
    assert network_of(built.judged.runs[0]) is None


def test_it_gets_a_colour_of_its_own_and_its_paper_is_cited(built) -> None:
    looks = styles(built.judged)
    assert len({look.colour for look in looks.values()}) == 3
    written = paper(built.judged, judge(built.judged, built.folder), [])
    assert r"\cite{mccallum1998}" in written
    assert r"\bibitem{mccallum1998} Andrew McCallum \& Kamal Nigam." in written
    assert r"\input{secrets}" not in written


def test_what_it_costs_can_win(built) -> None:
    """Unlike the floor's, whose costs are no merit."""
    for name in ("bayes", "majority"):
        predicted, true = ([0] * 300, [row % 3 for row in range(300)])
        built.run(name + "-2", predicted, true, method=name, train_seconds=0.1 if name == "bayes" else 0.01)
    results = built.results
    verdict = judge(results, built.folder)
    assert any("shortest training bayes-2 (0.1 s)" in one for one in verdict.sentences)
    table = comparison_table(results, verdict)
    seconds = table.headings.index("Train s")
    assert {table.rows[row][0] for row, column in table.best if column == seconds} == {"BAYES-2 (bayes-2)"}


def test_a_method_without_traits_is_refused_before_anything_runs() -> None:
    assert read_method("bayes", NaiveBayes) is NaiveBayes
    assert "declares no `traits`" in str(read_method("bayes", Traitless))


def test_an_outside_paper_may_not_bring_markup_in_its_key() -> None:
    for key in ("a}b", "A", "", "x" * 70, "a\n"):
        with pytest.raises(ValueError, match="key"):
            Reference(key=key, text="x")


def test_only_a_linear_probe_says_that_fine_tuning_was_cut_short(built, answers) -> None:
    predicted, true = answers(300, 10)
    built.run("head", predicted, true, method="frozen")
    said = [one for one in judge(built.results, built.folder).sentences if "under-trained" in one]
    assert said
    assert all("less than head, the linear probe" in one for one in said)
    assert not any("than bayes" in one for one in said)
