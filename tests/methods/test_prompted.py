"""Few-shot prompts and the search for a prompt: which rows are shown, how, and what is chosen by what."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from showdown.config.read import check
from showdown.core.chat import prompt_of, read_prompt
from showdown.core.errors import Unavailable, UserError
from showdown.core.examples import Examples
from showdown.core.journal import Journal, Step
from showdown.core.method import Fitted, FittedMethod
from showdown.methods.demonstrations import Demonstrations, chooser, demonstrations
from showdown.methods.halving import Tally, rounds, successive_halving
from showdown.methods.prompt_candidates import INSTRUCTIONS, instructions, prompts_to_try
from showdown.methods.table import build
from showdown.tasks.classification.likelihood import LikelihoodClassifier
from showdown.tasks.generation.composition import Instruction, instructed, with_examples
from showdown.tasks.generation.prompted import PromptedWriter
from showdown.testing import Workshop
from showdown.testing.tiny import LABELS, chat_rows, job_for, separable_rows

TRAIN, HELD_OUT = chat_rows(24), chat_rows(12, start=24)
TEMPLATE = "Resume of a {label}"
BOTH_WAYS: tuple[Literal["random", "nearest"], ...] = ("random", "nearest")


def rows(*lines: tuple[str, str, int]) -> Examples:
    """Prompts of one user message, answers and duplicate groups."""
    texts, answers, groups = zip(*lines, strict=True)
    numbers = tuple(range(1, len(lines) + 1))
    return Examples(texts=tuple(map(prompt_of, texts)), answers=answers, row_ids=numbers, duplicate_groups=groups)


def chosen(train: Examples, **more: Any) -> Demonstrations:
    settings = {"choose": "random", "count": 2, "seed": 0, "vary_answers": False, **more}
    return demonstrations(train, train.answers, **settings)


def shown(found: list[tuple[str, str]]) -> list[str]:
    return [read_prompt(prompt)[-1].content for prompt, _ in found]


def test_random_rows_are_one_draw_for_all_prompts_and_differ_between_seeds() -> None:
    draws = [chosen(TRAIN, count=4, seed=seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    find = chooser(draws[0])
    assert find(HELD_OUT.texts[0]) == find(HELD_OUT.texts[1])
    assert len({row.prompt for row in draws[0].rows}) == 4


def test_no_two_rows_of_a_duplicate_group_are_shown() -> None:
    copies = rows(*((f"copy {number}", "a", 7) for number in range(9)), ("another", "b", 8))
    for seed in range(5):
        assert sorted(row.group for row in chosen(copies, count=5, seed=seed).rows) == [7, 8]
    assert shown(chooser(chosen(copies, choose="nearest", count=5))(prompt_of("copy another"))) == ["copy 0", "another"]


def test_the_nearest_row_stands_last_and_copies_of_the_prompt_are_left_out() -> None:
    train = rows(
        ("red apples and pears", "1", 1),
        ("green apples", "2", 2),
        ("engines", "3", 3),
        ("green apples and pears", "4", 4),
        ("some green apples and some pears", "5", 4),
    )
    find = chooser(chosen(train, choose="nearest", count=2))
    assert shown(find(prompt_of("green apples please"))) == ["green apples and pears", "green apples"]
    assert shown(find(prompt_of("green apples and pears"))) == ["red apples and pears", "green apples"]


def test_words_of_scripts_without_spaces_and_no_words_at_all_are_compared_too() -> None:
    train = rows(("東京の天気", "1", 1), ("大阪の地図", "2", 2), ("!?", "3", 3))
    find = chooser(chosen(train, choose="nearest", count=1))
    assert shown(find(prompt_of("大阪に行く"))) == ["大阪の地図"]
    assert shown(find(prompt_of("..."))) == ["東京の天気"]
    only_marks = rows(("!", "1", 1), ("?", "2", 2))
    assert shown(chooser(chosen(only_marks, choose="nearest", count=1))(prompt_of("a"))) == ["!"]


@pytest.mark.parametrize("choose", ["random", "nearest"])
def test_each_label_comes_once_before_any_comes_again(choose: str) -> None:
    train = rows(*((f"word {number}", "ab"[number == 5], number) for number in range(9)))
    for count in (2, 3):
        found = chooser(chosen(train, choose=choose, count=count, vary_answers=True))(prompt_of("word"))
        assert sorted(answer for _, answer in found) == ["a"] * (count - 1) + ["b"]


def test_no_training_rows_are_refused() -> None:
    with pytest.raises(UserError, match="there are no training rows to show as examples; give some"):
        chosen(chat_rows(0))


def contents(chat: Any) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in chat]


def test_examples_are_turns_behind_the_system_message() -> None:
    chat = read_prompt(prompt_of("asked", system="be brief"))
    examples = [(prompt_of("same", system="be brief"), "1"), (prompt_of("other", system="be long"), "2")]
    assert contents(with_examples(chat, examples)) == [
        ("system", "be brief"),
        ("user", "same"),
        ("assistant", "1"),
        ("user", "be long\n\nother"),
        ("assistant", "2"),
        ("user", "asked"),
    ]


def test_an_instruction_stands_behind_the_system_message_or_in_its_place() -> None:
    chat = read_prompt(prompt_of("asked", system="be brief"))
    behind, instead = (Instruction(text="now", replaces=replaces) for replaces in (False, True))
    assert contents(instructed(chat, behind)) == [("system", "be brief\n\nnow"), ("user", "asked")]
    assert contents(instructed(chat, instead)) == [("system", "now"), ("user", "asked")]
    assert contents(instructed(read_prompt(prompt_of("asked")), behind)) == [("system", "now"), ("user", "asked")]
    assert instructed(chat, None) == chat


def fitted(workshop: Workshop, method: str, *, train: Examples = TRAIN, **settings: Any) -> Fitted:
    built = build(method, settings)
    assert isinstance(built, FittedMethod)
    return built.fit(train, job_for(workshop.of("generation").model("llama"), "generation"), validation=HELD_OUT)


def prompt_as_read(writer: PromptedWriter, prompt: str) -> str:
    """What the network is given for a prompt."""
    found = writer.pretrained.writer
    given: list[list[int]] = []
    write, found.forward = found.forward, type("Ear", (), {"write": lambda _, ids, **__: given.extend(ids) or []})()
    try:
        with pytest.raises(ValueError, match="zip"):
            writer.write([prompt], batch_rows=1)
    finally:
        found.forward = write
    return str(found.tokenizer.decode(given[0]))


def test_the_network_reads_the_examples_before_the_prompt(workshop: Workshop) -> None:
    found = fitted(workshop, "few-shot", examples=2)
    assert found.notes == ("2 training rows in every prompt, drawn at random",)
    assert isinstance(found.predictor, PromptedWriter)
    read = prompt_as_read(found.predictor, HELD_OUT.texts[0])
    turns = read.split("<|im_end|>\n")
    expected = chosen(TRAIN, count=2).rows
    asked = [read_prompt(row.prompt)[-1].content for row in expected]
    assert [turn.partition("\n")[2] for turn in turns] == [
        "a pilot, a baker",
        *(part for row, text in zip(expected, asked, strict=True) for part in (text, row.answer)),
        read_prompt(HELD_OUT.texts[0])[-1].content,
        "",
    ]


def test_examples_that_do_not_fit_are_left_out_said_and_counted(workshop: Workshop) -> None:
    """The limit is that of the network's positions, 512 here, not `protocol.max_tokens`."""
    predictor: Any = fitted(workshop, "few-shot", examples=24, choose="nearest").predictor
    writer = predictor.pretrained.writer
    assert predictor.notes() == []
    predictor.write(HELD_OUT.texts[:3], batch_rows=2)
    (note,) = predictor.notes()
    assert note.startswith("3 of 3 different prompts were shown fewer examples, ")
    assert note.endswith("with its answer a prompt may have 512 tokens, which is all that the network takes")
    find = chooser(chosen(TRAIN, choose="nearest", count=24))
    for prompt in HELD_OUT.texts[:3]:
        _, ids = predictor._composed(prompt, writer.most)
        left_out = predictor._left_out[prompt]
        assert len(ids) + writer.most <= 512
        one_more = with_examples(read_prompt(prompt), find(prompt)[left_out - 1 :])
        text = json.dumps([one.model_dump() for one in one_more])
        assert len(writer.layout.prompt(text)) + writer.most > 512
    assert f" {sum(predictor._left_out[prompt] for prompt in HELD_OUT.texts[:3])} in all" in note
    few: Any = fitted(workshop, "few-shot", examples=2).predictor
    few.write(HELD_OUT.texts[:3], batch_rows=2)
    assert few.notes() == []


def test_losses_are_those_of_a_pass_over_the_whole_chat(workshop: Workshop) -> None:
    """Of the answer's tokens alone, those of the examples' answers do not count."""
    predictor: Any = fitted(workshop, "few-shot", examples=3).predictor
    writer = predictor.pretrained.writer
    found = predictor.token_losses(HELD_OUT.texts[:2], HELD_OUT.answers[:2])
    for row in range(2):
        _, prompt = predictor._composed(HELD_OUT.texts[row], writer.most)
        answer = writer.tokenizer(HELD_OUT.answers[row], add_special_tokens=False)["input_ids"]
        ids = [*prompt, *answer, writer.tokenizer.eos_token_id]
        with torch.no_grad():
            logits = writer.module(input_ids=torch.tensor([ids])).logits[0].double()
        losses = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
        assert found[row, 1] == len(answer) + 1
        assert found[row, 0] == pytest.approx(float(losses[len(prompt) - 1 :].sum()), rel=1e-4)


def test_zero_shot_answers_the_prompt_as_it_is_with_another_model_too(workshop: Workshop, tmp_path: Path) -> None:
    own, other = workshop.of("generation").model("llama"), workshop.of("generation").model("qwen2")
    job = job_for(own, "generation")
    answers = []
    for model, settings in ((own, {}), (other, {"model": str(other)})):
        method = build("zero-shot", settings)
        assert isinstance(method, FittedMethod)
        found = method.fit(TRAIN, job, validation=HELD_OUT)
        assert found.notes == (f"{model} was asked with the prompt as it is",)
        (tmp_path / model.name).mkdir()
        method.save(found.predictor, tmp_path / model.name)
        again = method.load(tmp_path / model.name, job)
        answers.append([one.text for one in found.predictor.write(HELD_OUT.texts, batch_rows=4)])
        assert [one.text for one in again.write(HELD_OUT.texts, batch_rows=4)] == answers[-1]  # type: ignore[attr-defined]
    assert answers[0] != answers[1]


@pytest.mark.parametrize("method", ["zero-shot", "few-shot"])
def test_a_template_is_refused_where_there_are_no_labels(method: str) -> None:
    written = {"task": "generation", "methods": {method: {"template": "It is {label}"}}}
    with pytest.raises(
        UserError, match=rf"a\.yaml: `methods\.{method}`: `template` is a sentence for a label"
    ) as caught:
        check(written, "a.yaml")
    assert "\n" not in str(caught.value)
    check({**written, "task": "classification"}, "a.yaml")


def test_few_shot_needs_a_language_model(pretrained: Callable[[str], Path]) -> None:
    method = build("few-shot", {})
    assert isinstance(method, FittedMethod)
    with pytest.raises(Unavailable, match="is no causal language model, which alone reads examples"):
        method.fit(separable_rows(12), job_for(pretrained("bert")), validation=separable_rows(6))


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma"])
def test_labels_behind_examples_are_scored_as_in_one_plain_text(pretrained: Callable[[str], Path], family: str) -> None:
    """Each label in a pass of its own, with no mask, no cache and no examples computed before."""
    folder = pretrained(family)
    examples = [("oven dough", LABELS[0]), ("flight wing", LABELS[2])]
    classifier = LikelihoodClassifier(folder, job_for(folder, max_tokens=60), TEMPLATE, lambda _: examples)
    texts = separable_rows(4).texts
    found = classifier.scores(texts, batch_rows=1)
    opening = classifier.tokenizer("")["input_ids"]
    before = [
        token
        for text, label in examples
        for part in (text, f"\n{TEMPLATE.replace('{label}', label)}\n\n")
        for token in classifier.tokenizer(part, add_special_tokens=False)["input_ids"]
    ]
    for text, scores in zip(texts, found, strict=True):
        asked = classifier.tokenizer(text, add_special_tokens=False)["input_ids"]
        prefix = [*opening, *before, *asked, *classifier.anchor]
        for index in range(len(LABELS)):
            own = classifier.tail.tokens[classifier.tail.owners == index]
            tokens = torch.cat([torch.tensor(prefix), own])[None]
            with torch.no_grad():
                logits = classifier.module(input_ids=tokens, use_cache=False).logits[0].double()
            each = torch.log_softmax(logits[len(prefix) - 1 : -1], dim=-1)
            assert scores[index] == pytest.approx(float(each[torch.arange(len(own)), own].mean()), abs=1e-4)
    assert classifier.notes() == []


def test_examples_that_a_classifier_has_no_room_for_are_left_out(pretrained: Callable[[str], Path]) -> None:
    folder = pretrained("llama")  # of 80 positions
    examples = [("oven dough flour bread crust yeast", LABELS[0])] * 5
    classifier = LikelihoodClassifier(folder, job_for(folder, max_tokens=60), TEMPLATE, lambda _: examples)
    assert np.isfinite(classifier.scores(("ward patient",), batch_rows=1)).all()
    (note,) = classifier.notes()
    assert note.startswith(
        "1 of 1 different texts were shown fewer examples, 2 in all: a text with its examples may have 80"
    )


def test_rounds_double_and_end_with_one() -> None:
    assert rounds(12, 64, least=4) == [8, 16, 32, 64]
    assert rounds(12, 64, least=20) == [20, 20, 32, 64]
    assert rounds(2, 64, least=8) == [64]
    assert rounds(1, 5, least=8) == [5]
    assert rounds(500, 3, least=8) == [3] * 9


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_halving_finds_the_best_and_judges_no_row_twice(count: int) -> None:
    worth = np.random.default_rng(count).permutation(count)
    asked: list[tuple[int, int]] = []

    def judge(candidate: int, places: range) -> Tally:
        asked.extend((candidate, place) for place in places)
        score = float(worth[candidate]) * len(places)
        return Tally(rows=len(places), tokens=len(places), probability_sum=score, loss_sum=0.0)

    best, tallies = successive_halving(count, 64, judge, least=4)
    assert worth[best] == count - 1
    assert len(asked) == len(set(asked))
    assert tallies[best].rows == 64
    assert sum(tally.rows for tally in tallies) == len(asked) <= 64 * (1 + np.log2(count))


def test_equal_probabilities_are_decided_by_the_loss_and_then_by_the_order() -> None:
    def judge(candidate: int, places: range) -> Tally:
        return Tally(rows=1, tokens=1, probability_sum=0.5, loss_sum=(2.0, 1.0, 1.0)[candidate])

    assert successive_halving(3, 8, judge, least=8)[0] == 1


@pytest.mark.parametrize("calls", [1, 3, 4, 5, 6, 7, 9])
def test_a_search_that_is_ended_takes_the_best_of_those_with_the_same_rows(calls: int) -> None:
    """Four candidates: all on 8 rows, the better two on 16. What comes later in a round has fewer rows."""
    order = [2, 0, 3, 1]  # worth on the first rows; on all rows candidate 2 is ahead of candidate 0
    asked: list[int] = []

    def judge(candidate: int, places: range) -> Tally | None:
        if len(asked) == calls:
            return None
        asked.append(candidate)
        score = (4 - order.index(candidate) if places.start == 0 else candidate) * len(places)
        return Tally(rows=len(places), tokens=len(places), probability_sum=score, loss_sum=0.0)

    best, tallies = successive_halving(4, 16, judge, least=8)
    if calls < 4:
        assert best == max(range(calls), key=lambda one: -order.index(one))
    else:
        assert best == 2
    assert sum(tally.rows for tally in tallies) == 8 * min(calls, 6)


def test_the_prompts_that_are_tried() -> None:
    tried = prompts_to_try(TRAIN, instructions(["mine"]), [0, 2], BOTH_WAYS, trials=20, seed=0)
    words = [str(one) for one in tried]
    assert words[:3] == ["the prompt as it is", "2 random examples", "2 nearest examples"]
    assert len(set(words[:15])) == 15 == 3 * (1 + len(INSTRUCTIONS) + 1)
    again = [one for one in tried[15:] if one.demonstrations]
    assert len(again) == 5
    assert {one.demonstrations.choose for one in again if one.demonstrations} == {"random"}
    assert len({one.model_dump_json() for one in tried}) == 20, "other draws"
    assert words == [
        str(one) for one in prompts_to_try(TRAIN, instructions(["mine"]), [0, 2], BOTH_WAYS, trials=20, seed=0)
    ]
    other = prompts_to_try(TRAIN, instructions(["mine"]), [0, 2], BOTH_WAYS, trials=20, seed=1)
    assert words != [str(one) for one in other]
    assert len(prompts_to_try(TRAIN, instructions([]), [0], BOTH_WAYS, trials=20, seed=0)) == 1 + len(INSTRUCTIONS)
    few = prompts_to_try(TRAIN, [None], [2, 0, 2], ["random"], trials=2, seed=0)
    assert [str(one) for one in few] == ["2 random examples", "the prompt as it is"]
    assert [str(one) for one in prompts_to_try(TRAIN, [None], [0], BOTH_WAYS, trials=20, seed=0)] == [
        "the prompt as it is"
    ]


def test_the_search_takes_what_makes_the_wanted_answers_likeliest(workshop: Workshop, tmp_path: Path) -> None:
    """Judged again by itself, over all validation rows, no other of its finalists is better."""
    method = build("prompt-search", {"trials": 6, "validation_rows": 12})
    assert isinstance(method, FittedMethod)
    found = method.fit(TRAIN, job_for(workshop.of("generation").model("llama"), "generation"), validation=HELD_OUT)
    method.save(found.predictor, tmp_path)
    saved = json.loads((tmp_path / "prompt.json").read_text())
    assert len(saved["tried"]) == 6
    finalists = [one for one in saved["tried"] if one["rows"] == 12]
    assert len(finalists) == 2
    best = max(finalists, key=lambda one: one["score"])
    predictor: Any = found.predictor
    losses = torch.cat(predictor.losses_by_token(HELD_OUT.texts, HELD_OUT.answers))
    assert float(losses.neg().exp().mean()) == pytest.approx(best["score"], rel=1e-4)
    assert float(losses.mean()) == pytest.approx(best["loss"], rel=1e-4)
    (note,) = found.notes
    assert note.startswith(f"prompt search: of 6 prompts {best['prompt']} did best on 12 validation rows (mean token")


def test_an_instruction_that_states_the_answers_wins(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted best: losses are made to depend on what stands in the prompt."""

    def losses(self: PromptedWriter, prompts: Any, answers: Any) -> list[torch.Tensor]:
        told = bool(self.instruction and self.instruction.text == "the one" and not self.examples_for(prompts[0]))
        return [torch.tensor([0.1 if told else 1.0], dtype=torch.float64) for _ in prompts]

    monkeypatch.setattr(PromptedWriter, "losses_by_token", losses)
    found = fitted(workshop, "prompt-search", trials=40, instructions=["another", "the one"])
    assert "of 40 prompts the instruction `the one` did best" in found.notes[0]
    assert isinstance(found.predictor, PromptedWriter)
    assert found.predictor.instruction == Instruction(text="the one", replaces=True)


def test_the_search_sees_validation_rows_alone_and_needs_some(workshop: Workshop) -> None:
    seen: set[str] = set()
    build("prompt-search", {})
    original = PromptedWriter.losses_by_token

    def listening(self: PromptedWriter, prompts: Any, answers: Any) -> list[torch.Tensor]:
        seen.update(prompts)
        return original(self, prompts, answers)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PromptedWriter, "losses_by_token", listening)
        fitted(workshop, "prompt-search", trials=2)
    assert seen == set(HELD_OUT.texts)
    method = build("prompt-search", {})
    assert isinstance(method, FittedMethod)
    job = job_for(workshop.of("generation").model("llama"), "generation")
    with pytest.raises(UserError, match="there are no validation rows to judge prompts by"):
        method.fit(TRAIN, job, validation=chat_rows(0))


def searched(workshop: Workshop, journal: Journal, **protocol: Any) -> tuple[str, tuple[str, ...]]:
    """Search with a journal, and return what is saved and the notes."""
    method = build("prompt-search", {"trials": 6, "validation_rows": 12})
    assert isinstance(method, FittedMethod)
    method.journal = journal
    job = job_for(workshop.of("generation").model("llama"), "generation", **protocol)
    found = method.fit(TRAIN, job, validation=HELD_OUT)
    folder = workshop.folder / "searched"
    folder.mkdir(exist_ok=True)
    method.save(found.predictor, folder)
    return (folder / "prompt.json").read_text(), found.notes


class Killed(Exception):
    """Stands for a kill."""


class KilledAfter(Journal):
    """Is killed once so many steps are kept."""

    def __init__(self, steps: int, kept: Sequence[Step] = ()) -> None:
        super().__init__()
        self.steps, self.most = [*kept], steps

    def add(self, step: Step) -> None:
        super().add(json.loads(json.dumps(step)))
        if len(self.steps) == self.most:
            raise Killed


def test_a_killed_search_goes_on_from_what_it_judged(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Journal()
    expected = searched(workshop, whole)
    calls: list[int] = []
    original = PromptedWriter.losses_by_token

    def counting(self: PromptedWriter, prompts: Any, answers: Any) -> list[torch.Tensor]:
        calls.append(len(prompts))
        return original(self, prompts, answers)

    monkeypatch.setattr(PromptedWriter, "losses_by_token", counting)
    kept: list[Step] = []
    for most in (2, 7):  # in the first round, and again in a later one
        journal = KilledAfter(most, kept)
        with pytest.raises(Killed):
            searched(workshop, journal)
        kept = journal.steps
    assert searched(workshop, KilledAfter(-1, kept)) == expected
    assert len(calls) == len(whole.steps), "no rows were judged twice for a prompt"


def test_steps_of_something_else_are_not_taken(workshop: Workshop) -> None:
    journal = KilledAfter(-1, [{"loss": 1.0}])
    assert searched(workshop, journal) == searched(workshop, Journal())
    assert {"loss": 1.0} not in journal.steps


def test_a_search_ends_in_the_time_of_a_training_and_says_so(workshop: Workshop) -> None:
    saved, notes = searched(workshop, cut := Journal(), max_seconds=1e-9)
    assert len(json.loads(saved)["tried"]) == len(cut.steps) == 1, "one prompt is always judged"
    assert notes[0].startswith("prompt search: of 1 prompts the prompt as it is did best on 8 validation rows")
    assert notes[1].startswith("prompt search: cut short by the time limit after 0.")
    assert notes[1].endswith("s; 1 of 6 prompts were judged, on 8 of 12 rows at the most")
    goes_on = KilledAfter(-1, [{**cut.steps[0], "seconds": 50.0}])
    assert searched(workshop, goes_on, max_seconds=50.0)[1][1:], "time before an interruption counts"
    assert not searched(workshop, Journal(), max_seconds=3600.0)[1][1:]


def test_a_template_without_system_messages_gets_no_instruction(workshop: Workshop) -> None:
    job = job_for(workshop.of("generation").model("llama"), "generation")
    strict = "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
    template = strict + "{{ message['content'] }}</s>{% endfor %}"
    train, held_out = (replace(one, texts=tuple(map(without_system, one.texts))) for one in (TRAIN, HELD_OUT))
    method = build("prompt-search", {"trials": 30})
    assert isinstance(method, FittedMethod)
    model = job.model.model_copy(update={"chat_template": template})
    found = method.fit(train, replace(job, model=model), validation=held_out)
    assert found.notes[1] == "no instruction was tried: the chat template takes no system message"
    assert "the instruction" not in found.notes[0]


def without_system(prompt: str) -> str:
    return prompt_of(read_prompt(prompt)[-1].content)
