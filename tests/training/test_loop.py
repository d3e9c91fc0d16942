"""The loop: what a step is made of, resuming, running out of memory, damaged checkpoints."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_loop import ROWS, Stop, TinyClassifier, TinyForward, Watcher, run_of, scored
from torch import nn

from showdown.core.manifest import damage
from showdown.core.task import Validation
from showdown.engine.accumulate import EagerAccumulator
from showdown.engine.forward import PaddedForward
from showdown.training.batches import effective_batches, largest_drawn_tokens, micro_batches
from showdown.training.checkpoint import Checkpoints, State
from showdown.training.loop import train
from showdown.training.run import Progress, TrainingRun
from showdown.training.schedule import rate_factor, warmup_steps


def by_epoch(module: TinyClassifier) -> Callable[[], Validation]:
    """A score of the weights alone, so that an interrupted training meets the same ones."""

    def validate() -> Validation:
        return scored(float(module.head.weight.detach().abs().sum()) % 1.0, loss=float(module.head.bias.detach().sum()))

    return validate


def finish(run: TrainingRun) -> tuple[Progress, dict[str, torch.Tensor]]:
    return train(run), {name: value.detach().clone() for name, value in run.module.named_parameters()}


@pytest.mark.parametrize("stop_after", [1, *(pytest.param(step, marks=pytest.mark.long) for step in (2, 4, 5)), 3, 8])
def test_a_resumed_training_is_bitwise_the_uninterrupted_one(tmp_path: Path, stop_after: int) -> None:
    """Weights, curve and chosen epoch, with dropout drawing random numbers all the while."""
    module = TinyClassifier()
    torch.manual_seed(5)
    expected, weights = finish(replace(run_of(module), validate=by_epoch(module)))

    module = TinyClassifier()
    torch.manual_seed(5)
    run = run_of(module, tmp_path)
    with pytest.raises(Stop):
        train(replace(run, validate=by_epoch(module), watcher=Watcher(stop_after=stop_after)))
    module = TinyClassifier()
    torch.manual_seed(5 if stop_after == 1 else 99)  # before the first checkpoint there is nothing to go on from
    run = run_of(module, tmp_path)
    found, found_weights = finish(replace(run, validate=by_epoch(module)))

    assert isinstance(run.watcher, Watcher)
    assert min(run.watcher.steps) == max(1, stop_after)  # the step that was cut off is done again, no earlier one
    assert found.curve == expected.curve
    assert (found.best_epoch, found.validation) == (expected.best_epoch, expected.validation)
    assert all(torch.equal(weights[name], value) for name, value in found_weights.items())


@pytest.mark.parametrize("epoch", [pytest.param(1, marks=pytest.mark.long), 3])
def test_a_training_stopped_while_it_validates_validates_that_epoch_again(tmp_path: Path, epoch: int) -> None:
    """Also the last epoch, when no step is left to take."""
    module = TinyClassifier()
    torch.manual_seed(5)
    expected, weights = finish(replace(run_of(module), validate=by_epoch(module)))
    module = TinyClassifier()
    validated: list[Validation] = []

    def stopped_at_epoch() -> Validation:
        if len(validated) + 1 == epoch:
            raise Stop
        validated.append(by_epoch(module)())
        return validated[-1]

    torch.manual_seed(5)
    with pytest.raises(Stop):
        train(replace(run_of(module, tmp_path), validate=stopped_at_epoch))
    module = TinyClassifier()
    found, found_weights = finish(replace(run_of(module, tmp_path), validate=by_epoch(module)))
    assert (found.best_epoch, found.validation) == (expected.best_epoch, expected.validation)
    assert all(torch.equal(weights[name], value) for name, value in found_weights.items())


def test_the_best_epoch_is_taken_and_ties_go_to_the_lower_loss() -> None:
    module = TinyClassifier()
    seen: list[torch.Tensor] = []
    scores = iter([(0.5, 1.0), (0.8, 2.0), (0.8, 1.5), (0.8, 1.5)])

    def validate() -> Validation:
        seen.append(module.head.weight.detach().clone())
        return scored(*next(scores))

    progress, weights = finish(replace(run_of(module, epochs=4), validate=validate))
    assert progress.best_epoch == 3
    assert torch.equal(weights["head.weight"], seen[2])
    scores = iter([(0.5, 1.0), (0.4, 1.0)])
    module = TinyClassifier()
    seen.clear()
    finish(replace(run_of(module, epochs=2, select_epoch="last"), validate=validate))
    assert torch.equal(module.head.weight, seen[1])


def test_every_row_counts_the_same_in_a_step() -> None:
    """One micro-batch or eight with a smaller last one: the same gradient, that of the mean over the step's rows."""
    norms = []
    for micro_rows in (8, 3, 1):
        module = TinyClassifier()
        module.dropout.p = 0.0
        norms.append(train(run_of(module, epochs=1, micro_batch_rows=micro_rows)).curve["gradient_norm"])
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)
    assert norms[2] == pytest.approx(norms[0], rel=1e-5)
    module = TinyClassifier()
    rows = effective_batches(20, 8, seed=3, epoch=0)[0]
    logits = TinyForward(module.eval()).logits([torch.tensor(ROWS.ids[row]) for row in rows])
    nn.functional.cross_entropy(logits, torch.tensor([label for row in rows for label in ROWS.targets[row]])).backward()
    squares = sum(float(value.grad.square().sum()) for value in module.parameters() if value.grad is not None)
    assert norms[0][0] == pytest.approx(squares**0.5, rel=1e-5)


class Replaying(EagerAccumulator):
    """Says that it replays from its third micro-batch on."""

    calls = 0

    @property
    def replayed(self) -> int:
        return max(0, self.calls - 2)

    def accumulate(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, step_terms: int) -> torch.Tensor:
        self.calls += 1
        return super().accumulate(sequences, targets, step_terms)


@pytest.mark.parametrize("replays", [False, True])
def test_the_record_knows_whether_graphs_were_replayed_also_before_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replays: bool
) -> None:
    chosen = Replaying if replays else EagerAccumulator
    monkeypatch.setattr(
        "showdown.training.loop.choose_accumulator", lambda forward, objective, *_, **__: chosen(forward, objective)
    )
    run = run_of(TinyClassifier(), tmp_path)
    with pytest.raises(Stop):
        train(replace(run, watcher=Watcher(stop_after=3)))
    monkeypatch.setattr(
        "showdown.training.loop.choose_accumulator",
        lambda *given, **_: EagerAccumulator(*given[:2]),
    )
    assert train(run_of(TinyClassifier(), tmp_path)).from_graphs is replays


@pytest.mark.parametrize("step", [1, 2, 4])
def test_out_of_memory_halves_the_micro_batch(step: int) -> None:
    """The step is done again with half the rows at a time; its gradient is that of a run that had the room."""
    module = TinyClassifier()
    module.dropout.p = 0.0
    expected = train(run_of(module, effective_batch_rows=4)).curve
    module = TinyClassifier()
    module.dropout.p = 0.0
    run = run_of(module, effective_batch_rows=4)
    progress = train(replace(run, forward=TinyForward(module, fails_at=[step])))
    assert progress.micro_batch_rows == 2
    assert progress.curve["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-5)
    assert progress.curve["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert isinstance(run.watcher, Watcher)
    assert run.watcher.messages == [
        f"out of memory at step {step}: micro-batch halved to 2 rows, effective batch unchanged"
    ]


def test_out_of_memory_gives_up_graphs_before_it_halves_the_micro_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recorded(EagerAccumulator):
        held = True

        def release(self) -> bool:
            had, self.held = self.held, False
            return had

    monkeypatch.setattr(
        "showdown.training.loop.choose_accumulator", lambda forward, objective, *_, **__: Recorded(forward, objective)
    )
    module = TinyClassifier()
    run = run_of(module, effective_batch_rows=4)
    progress = train(replace(run, forward=TinyForward(module, fails_at=[1, 4, 5])))
    assert progress.micro_batch_rows == 1
    assert isinstance(run.watcher, Watcher)
    assert run.watcher.messages == [
        "out of memory at step 1: CUDA graphs given up",
        "out of memory at step 3: micro-batch halved to 2 rows, effective batch unchanged",
        "out of memory at step 3: micro-batch halved to 1 rows, effective batch unchanged",
    ]


def test_out_of_memory_in_the_middle_of_a_step_leaves_no_gradient_behind() -> None:
    module = TinyClassifier()
    module.dropout.p = 0.0
    expected = train(run_of(module)).curve["gradient_norm"]
    module = TinyClassifier()
    module.dropout.p = 0.0
    found = train(replace(run_of(module), forward=TinyForward(module, fails_at=[2]))).curve["gradient_norm"]
    assert found == pytest.approx(expected, rel=1e-5)


def test_one_row_that_does_not_fit_is_out_of_memory() -> None:
    module = TinyClassifier()
    run = replace(run_of(module), forward=TinyForward(module, room=0))
    with pytest.raises(torch.OutOfMemoryError):
        train(run)
    assert isinstance(run.watcher, Watcher)
    assert [line.split("halved to ")[1].split()[0] for line in run.watcher.messages] == ["2", "1"]


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    module = TinyClassifier()
    with torch.no_grad():
        module.head.weight.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1"):
        train(run_of(module))


@pytest.mark.parametrize("cut", [0, 1, 0.5, -1])
@pytest.mark.parametrize("file", ["state.safetensors", "facts.json", "manifest.json"])
@pytest.mark.parametrize("place", ["step", "best"])
def test_a_torn_checkpoint_is_named_and_passed_over(
    two_checkpoints: Path, tmp_path: Path, place: str, file: str, cut: float
) -> None:
    """Each file cut at 0, 1, half and n-1 bytes: training goes on from the older state and says which file it was."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(two_checkpoints, folder)
    newest = sorted(folder.glob("step-*"))[-1]
    best = json.loads((newest / "facts.json").read_text())["best_weights"]
    torn = (newest if place == "step" else folder / best) / file
    size = torn.stat().st_size
    with torn.open("r+b") as opened:
        opened.truncate(int(cut * size) if isinstance(cut, float) else cut if cut >= 0 else size - 1)
    said: list[str] = []
    state = Checkpoints(folder, said.append).newest()
    assert state is not None
    if file == "manifest.json" and cut == -1:  # a newline at its end: nothing is lost
        assert (said, state.facts["step"]) == ([], 6)
        return
    assert str(torn) in said[0]
    assert state.facts["step"] == 3
    assert damage(folder / state.facts["best_weights"]) is None


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as a kill between two checkpoints leaves it: after step 3 with its best weights, and after step 4."""
    folder, copies = tmp_path_factory.mktemp("checkpoints"), tmp_path_factory.mktemp("copies")
    module = TinyClassifier()
    scores = iter([0.1, 0.9])
    for step in (4, 7):
        run = run_of(module, folder, epochs=9)
        validated = replace(run, validate=lambda: scored(next(scores)))
        with pytest.raises(Stop):
            train(replace(validated, watcher=Watcher(stop_after=step)))
        shutil.copytree(folder, copies, dirs_exist_ok=True)
    return copies


def test_the_older_checkpoint_goes_only_after_the_newer_is_whole(tmp_path: Path) -> None:
    """At every moment there is a whole state, and none is written over another."""
    module = TinyClassifier()
    whole: list[list[str]] = []

    class Looking(Checkpoints):
        def save(self, step: int, epoch: int, state: State) -> None:
            before = {path.name for path in self.folder.glob("step-*")}
            super().save(step, epoch, state)
            (newest,) = (path.name for path in self.folder.glob("step-*"))
            assert newest not in before
            whole.append([newest])

    run = run_of(module, tmp_path)
    train(replace(run, checkpoints=Looking(tmp_path, run.watcher.say)))
    assert len(whole) == 9 + 3  # every step, and the end of every epoch
    # The last epoch is the best one, and its weights are those of the state.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-0001", "step-00000009-epoch-0003"]


@pytest.mark.parametrize(("total", "warmup"), [(20, 2), (7, 0), (9, 9), (1, 1), (100, 33)])
def test_schedule_is_transformers(total: int, warmup: int) -> None:
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, total)
    for step in range(total):
        assert rate_factor(step, warmup=warmup, decay_from=warmup, end=total) == pytest.approx(
            schedule.get_last_lr()[0], abs=1e-12
        )
        optimizer.step()
        schedule.step()


def test_warmup_is_rounded_as_the_trainer_does() -> None:
    from transformers import TrainingArguments

    for total, fraction in ((20, 0.1), (21, 0.1), (3, 0.5), (10, 0.0), (10, 1.0)):
        arguments = TrainingArguments(output_dir="unused", warmup_steps=fraction, report_to=[], use_cpu=True)
        if 0 < fraction < 1:
            assert warmup_steps(total, fraction) == arguments.get_warmup_steps(total)
    assert (warmup_steps(10, 0.0), warmup_steps(10, 1.0)) == (0, 10)
    assert (warmup_steps(10, 0.1, 7), warmup_steps(10, 0.1, 0)) == (7, 0)


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    epochs = [effective_batches(50, 8, seed=1, epoch=epoch) for epoch in range(3)]
    for batches in epochs:
        assert sorted(row for rows in batches for row in rows) == list(range(50))
        assert [len(rows) for rows in batches] == [8] * 6 + [2]
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] == effective_batches(50, 8, seed=1, epoch=0) != effective_batches(50, 8, seed=2, epoch=0)
    assert effective_batches(50, 8, seed=1, epoch=1) != effective_batches(50, 8, seed=2, epoch=0)


@pytest.mark.parametrize(("effective_rows", "micro_rows"), [(4, 4), (4, 2), (3, 5), (16, 16)])
def test_the_largest_micro_batch_is_that_of_the_steps_of_seed_0(effective_rows: int, micro_rows: int) -> None:
    lengths = [5, 80, 7, 90, 3, 61, 8, 2, 70, 33]
    micro = [
        sum(lengths[row] for row in batch)
        for epoch in range(3)
        for step in effective_batches(len(lengths), effective_rows, seed=0, epoch=epoch)
        for batch in micro_batches(step, lengths, micro_rows)
    ]
    assert largest_drawn_tokens(lengths, effective_rows, micro_rows, epochs=3) == max(micro)


def test_micro_batches_hold_the_steps_rows_by_length_longest_first() -> None:
    lengths = [5, 1, 9, 3, 7, 9, 2, 4]
    found = micro_batches([0, 2, 3, 5, 6, 7], lengths, 4)
    assert found == [[2, 5, 0, 7], [3, 6]]


def test_padding_changes_nothing(pretrained: Callable[[str], Path]) -> None:
    """Rows in one padded batch score as each alone; a decoder's text may hold the padding token itself."""
    from showdown.core.method import NetworkOptions
    from showdown.models.network import load_network
    from tiny_pretrained import job

    for family, pad in (("bert", 0), ("mistral", 2)):
        module = load_network(pretrained(family), job(pretrained(family)), NetworkOptions()).module.eval()
        forward = PaddedForward(module, pad_token_id=pad, device="cpu")
        rows = [torch.tensor(ids) for ids in ([5, 6, 7], [8], [9, 10, 2, 11, 2])]
        with torch.no_grad():
            together = forward.logits(rows)
            alone = torch.cat([forward.logits([row]) for row in rows])
        assert torch.allclose(together, alone, atol=1e-5)


def test_a_step_inside_the_backward_pass_is_the_same_step() -> None:
    """Without clipping and accumulation; the norm of all gradients is then never known."""
    settings: dict[str, Any] = {"max_gradient_norm": None, "micro_batch_rows": 8, "select_epoch": "last"}
    outside, expected = finish(run_of(TinyClassifier(), **settings))
    run = run_of(TinyClassifier(), **settings)
    inside, found = finish(replace(run, step=replace(run.step, in_backward=True)))
    assert inside.curve["gradient_norm"] == [None] * 9
    assert inside.curve["loss"] == pytest.approx(outside.curve["loss"], rel=1e-6)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-6, atol=1e-7)


def test_running_out_of_memory_inside_such_a_step_is_not_tried_again() -> None:
    """Some weights may have been stepped already."""
    module = TinyClassifier()
    run = run_of(module, max_gradient_norm=None, micro_batch_rows=8)
    run = replace(run, step=replace(run.step, in_backward=True), forward=TinyForward(module, fails_at=[2]))
    with pytest.raises(torch.OutOfMemoryError):
        train(run)


def test_checkpoints_keep_the_names_that_earlier_versions_wrote(tmp_path: Path) -> None:
    """Or a training that an earlier version began could not go on."""
    run = run_of(TinyClassifier(), tmp_path)
    with pytest.raises(Stop):
        train(replace(run, watcher=Watcher(stop_after=2)))
    assert run.checkpoints is not None
    state = run.checkpoints.newest()
    assert state is not None
    assert set(state.facts) == {
        "epoch", "step_in_epoch", "step", "micro_batch_rows", "micro_batch_tokens", "most_micro_batches", "from_graphs",
        "best_weights", "best_epoch", "best_score", "best_loss", "decay_from", "end_step", "stopped", "curve",
        "validation", "phases",
    }  # fmt: skip
    assert {name.partition(".")[0] for name in state.tensors} == {"weight", "stepper", "random"}
    earlier = State(tensors=state.tensors, facts={**state.facts, "best_score": -1.0})  # before the first validation
    run.checkpoints.save(state.facts["step"], state.facts["epoch"], earlier)
    assert train(run_of(TinyClassifier(), tmp_path)).best_epoch == 3
