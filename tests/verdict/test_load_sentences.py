"""The sentence on load names the rows and the most that others used; without load there is none."""

from typing import Any

import pytest

from showdown.core.record import Load, RunRecord
from showdown.verdict.load import load_sentences
from showdown.verdict.summary import judge


def load(training: float | None, speed: float | None, gpu: float | None = None) -> Load:
    return Load(training_others_share=training, speed_others_share=speed, average=1.0, gpu_others_share=gpu)


@pytest.fixture
def judged(built: Any, answers: Any) -> Any:
    def made(**loads: Load | None) -> tuple[list[str], dict[str, list[RunRecord]]]:
        for turn, (name, found) in enumerate(loads.items()):
            predicted, true = answers(60, 5 + turn)
            built.run(name, predicted, true, method=name, load=found)
        rows = {run.name: [run] for run in built.runs}
        return judge(built.results, built.folder).sentences, rows

    return made


def test_load_is_said_with_its_rows(judged: Any) -> None:
    sentences, rows = judged(tfidf=load(0.02, None), full=load(0.03, 0.401), lora=load(0.3, 0.05))
    said = (
        "Beside the timing of full and lora other processes used up to about 40 % of the processors: their seconds and "
        "latencies may be too high. Compare speeds after a run with nothing beside it."
    )
    assert load_sentences(rows) == [said]
    assert said in sentences


def test_other_users_of_the_gpu_are_said(judged: Any) -> None:
    _, rows = judged(full=load(0.01, 0.02, 0.6), lora=load(0.01, 0.02, 0.0))
    (said,) = load_sentences(rows)
    assert said.startswith("Beside the timing of full other processes used up to about 60 % of the GPU: its seconds")


def test_a_quiet_machine_is_not_said(judged: Any) -> None:
    sentences, rows = judged(tfidf=None, full=load(0.02, 0.09), lora=load(None, None))
    assert load_sentences(rows) == []
    assert not any("Beside the timing" in sentence for sentence in sentences)
