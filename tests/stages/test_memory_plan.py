"""What `protocol.memory` comes to, on a CPU and for a GPU that is only pretended: nothing is computed on it."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from showdown.core.errors import UserError
from showdown.core.events import EventWriter
from showdown.core.examples import Examples
from showdown.core.memory import MemorySettings
from showdown.core.method import Job, Placement
from showdown.core.record import RunRecord
from showdown.core.spec import Comparison, ComparisonProtocol, ModelSpec, RunSpec, SharedProtocol
from showdown.core.task import EncodedExamples
from showdown.methods.table import build, method_class
from showdown.runner.memory import with_current_spec, with_memory
from showdown.runner.memory_check import refuse_budget_on_cpu
from showdown.runner.store import Store
from showdown.stages import memory_plan
from showdown.stages.demand import rounding_of
from showdown.stages.memory_plan import Gpu, memory_settings, plan_run
from showdown.stages.results import StageError
from showdown.tasks.generation.task import Generation
from tiny_pretrained import job

LENGTHS = [40, 30, 20, 60] * 8
WHOLE_STEP = 8 * 60
METHODS: dict[str, dict[str, Any]] = {"tfidf": {}, "full": {}, "lora": {}}
GPU = Gpu(name="Pretended 100", total_gb=100.0, free_gb=100.0)


@pytest.fixture(autouse=True)
def _pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 100 GB, and partitions that are files of row lengths: each token of a text is a word."""

    def side_of(place: Path, side: str) -> Examples:
        assert side == "train", "no other rows are planned for"
        lengths = json.loads((place / "lengths.json").read_text())
        numbers = tuple(range(len(lengths)))
        texts = tuple("word " * length for length in lengths)
        return Examples(texts=texts, targets=numbers, row_ids=numbers, duplicate_groups=numbers)

    monkeypatch.setattr(memory_plan, "current_gpu", lambda: GPU)
    monkeypatch.setattr(memory_plan, "load_side", side_of)
    monkeypatch.setattr(memory_plan, "load_labels", lambda place: ("a", "b"))
    monkeypatch.setattr(memory_plan, "job_of", job_on_the_gpu)
    monkeypatch.setattr(
        "showdown.models.tokens.encode", lambda _, texts, limit: [[5] * min(len(text.split()), limit) for text in texts]
    )
    monkeypatch.setattr("showdown.engine.decoder.forward.varlen_is_here", lambda: True)
    monkeypatch.setattr("showdown.runner.memory.has_gpu", lambda: True)


def job_on_the_gpu(spec: RunSpec, labels: tuple[str, ...]) -> Job:
    placement = Placement(device="cuda", dtype="bfloat16")
    given = job(Path(spec.model.id))
    return replace(given, labels=labels, protocol=spec.protocol, placement=placement)


def comparison_of(model: Path, methods: dict[str, dict[str, Any]], **protocol: Any) -> Comparison:
    return Comparison(
        model=ModelSpec(id=str(model)), methods=methods, protocol=ComparisonProtocol(effective_batch_rows=8, **protocol)
    )


def specs_of(comparison: Comparison, data_fingerprint: str = "f" * 64) -> list[RunSpec]:
    """One run for each row of the table."""
    return [
        RunSpec(
            name=name,
            method=name,
            settings=build(name, written).settings.model_dump(),
            model=comparison.model,
            protocol=SharedProtocol(**comparison.protocol.model_dump(exclude={"metric"})),
            seed=0,
            data_fingerprint=data_fingerprint,
        )
        for name, written in comparison.methods.items()
    ]


def plan_in(folder: Path, spec: RunSpec) -> None:
    plan_run(spec, folder / "runs" / spec.run_id, folder / "processed", EventWriter(io.StringIO()))


def write_comparison(folder: Path, comparison: Comparison, *partitions: Sequence[int]) -> None:
    """Write what the runner writes before the first run."""
    folder.mkdir(exist_ok=True)
    (folder / "comparison.json").write_text(comparison.model_dump_json())
    for number, lengths in enumerate(partitions):
        place = folder / "processed" / (f"partition-{number}" if len(partitions) > 1 else "")
        place.mkdir(parents=True, exist_ok=True)
        (place / "lengths.json").write_text(json.dumps(list(lengths)))


def settings_of(
    folder: Path,
    model: Path,
    methods: dict[str, dict[str, Any]] = METHODS,
    lengths: Sequence[int] = LENGTHS,
    **protocol: Any,
) -> dict[str, MemorySettings]:
    """The planned settings of each trained row of a comparison on the pretended GPU."""
    comparison = comparison_of(model, methods, **protocol)
    write_comparison(folder, comparison, lengths)
    plan_in(folder, specs_of(comparison)[-1])
    plan = memory_plan.read_plan(folder)
    assert plan is not None
    return plan.settings


def chosen_of(settings: MemorySettings) -> tuple[int | None, bool, bool]:
    return settings.micro_batch_tokens, settings.recompute, settings.step_in_backward


def test_speed_takes_the_whole_step_for_all(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    found = settings_of(tmp_path, pretrained("mistral"))
    assert chosen_of(found["full"]) == chosen_of(found["lora"])
    assert (found["full"].micro_batch_rows, found["full"].recompute) == (8, False)


def test_the_methods_of_a_comparison_get_what_all_of_them_fit(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    """A budget between the needs of LoRA and of full fine-tuning binds both, unless each may have its best."""
    model, lengths = pretrained("mistral"), [WHOLE_STEP // 8] * 32
    whole = settings_of(tmp_path, model, lengths=lengths, match_memory=False)
    expected = {name: one.expected_peak_gb or 0.0 for name, one in whole.items()}
    assert expected["lora"] < expected["full"]
    budget = expected["lora"] + 0.2 * (expected["full"] - expected["lora"])
    together = settings_of(tmp_path, model, lengths=lengths, memory=budget)
    assert chosen_of(together["lora"]) == chosen_of(together["full"])
    assert together["full"].recompute or (together["full"].micro_batch_tokens or 0) < WHOLE_STEP
    own = settings_of(tmp_path, model, lengths=lengths, memory=budget, match_memory=False)
    assert (own["lora"].micro_batch_tokens, own["lora"].recompute) == (WHOLE_STEP, False)
    assert chosen_of(own["full"]) != chosen_of(own["lora"])


def test_the_expected_peak_is_that_of_the_settings_that_a_row_gets(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    """LoRA with full fine-tuning's settings needs less than at its own best; rows that the user names count too."""
    model, whole = pretrained("mistral"), settings_of(tmp_path, pretrained("mistral"), match_memory=False)
    expected = {name: one.expected_peak_gb or 0.0 for name, one in whole.items()}
    budget = expected["lora"] + 0.2 * (expected["full"] - expected["lora"])
    together = settings_of(tmp_path, model, memory=budget)
    assert (together["lora"].expected_peak_gb or 0.0) < expected["lora"]
    assert (together["full"].expected_peak_gb or 0.0) <= budget
    one_by_one = settings_of(tmp_path, model, micro_batch_rows=1)
    assert 0.0 < (one_by_one["lora"].expected_peak_gb or 0.0) < expected["lora"]
    named_whole = settings_of(tmp_path, model, micro_batch_rows=8)
    assert named_whole["lora"].expected_peak_gb == expected["lora"]


def test_a_language_model_needs_memory_for_its_vocabulary_and_the_tokens_with_a_loss(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much more as its answers are longer; a classifier of the same rows needs less."""
    classifier = settings_of(tmp_path / "classifier", pretrained("mistral"))

    def planned(answer_tokens: int) -> dict[str, MemorySettings]:
        def encoded(task: Generation, tokenizer: Any, rows: Examples, limit: int, protocol: Any) -> EncodedExamples:
            ids = [[5] * len(text.split()) for text in rows.texts]
            targets = [[-100] * (len(row) - answer_tokens) + [5] * answer_tokens for row in ids]
            return EncodedExamples(ids=ids, targets=targets)

        monkeypatch.setattr(Generation, "encode", encoded)
        monkeypatch.setattr(
            memory_plan, "job_of", lambda spec, labels: replace(job_on_the_gpu(spec, labels), task=Generation())
        )
        return settings_of(tmp_path / str(answer_tokens), pretrained("mistral"))

    short, long = planned(2), planned(20)
    for name in ("full", "lora"):
        peaks = [(one[name].expected_peak_gb or 0.0) for one in (classifier, short, long)]
        assert peaks == sorted(set(peaks)), name


def test_gradients_stay_where_there_is_room_for_them(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    model = pretrained("mistral")
    assert all(one.gradients_stay for one in settings_of(tmp_path, model).values())
    inside = settings_of(tmp_path, model, {"full": {}}, memory="lean", max_gradient_norm=None)
    assert inside["full"].step_in_backward
    assert not inside["full"].gradients_stay


def test_settings_stay_while_nothing_that_they_depend_on_changes(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less free memory later changes nothing for the runs that are left; another comparison is planned anew."""
    model = pretrained("mistral")
    first = settings_of(tmp_path, model)
    monkeypatch.setattr(memory_plan, "current_gpu", lambda: replace(GPU, free_gb=1e-4))
    assert settings_of(tmp_path, model) == first
    assert settings_of(tmp_path, model, METHODS | {"dora": {}})["full"] != first["full"]
    (tmp_path / "memory.json").write_text("{")
    assert settings_of(tmp_path, model)["full"] != first["full"]
    assert json.loads((tmp_path / "memory.json").read_text())["settings"]["lora"]["micro_batch_tokens"] == 60


def test_a_plan_for_short_texts_does_not_serve_long_ones(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    model = pretrained("mistral")
    short = settings_of(tmp_path, model, lengths=[10] * 32)
    long = settings_of(tmp_path, model, lengths=[500] * 32)
    assert (short["full"].micro_batch_tokens, long["full"].micro_batch_tokens) == (8 * 10, 8 * 80)
    assert (long["full"].expected_peak_gb or 0.0) > (short["full"].expected_peak_gb or 0.0)


@pytest.mark.parametrize("change", ["name", "total_gb"])
def test_a_plan_does_not_serve_another_gpu(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    model = pretrained("mistral")
    first = settings_of(tmp_path, model)
    other = {"name": "Pretended 1"} if change == "name" else {"total_gb": 1.0}
    monkeypatch.setattr(memory_plan, "current_gpu", lambda: replace(GPU, free_gb=1e-4, **other))
    assert settings_of(tmp_path, model)["full"] != first["full"]


def test_the_longest_texts_of_any_partition_are_planned_for(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    comparison = comparison_of(pretrained("mistral"), METHODS)
    write_comparison(tmp_path, comparison, [10] * 32, [*[10] * 8, *[70] * 24])
    plan_in(tmp_path, specs_of(comparison)[1])
    plan = memory_plan.read_plan(tmp_path)
    assert plan is not None
    assert (plan.planned_for.partitions, plan.planned_for.longest_tokens) == (2, 70)
    assert plan.settings["full"].micro_batch_tokens == 8 * 70


def test_an_arm_with_its_own_token_limit_is_planned_for_its_own_lengths(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    methods: dict[str, dict[str, Any]] = {"full": {}, "lora": {"protocol": {"max_tokens": 16, "match_memory": False}}}
    comparison = comparison_of(pretrained("mistral"), methods, match_memory=False)
    write_comparison(tmp_path, comparison, LENGTHS)
    plan_in(tmp_path, specs_of(comparison_of(pretrained("mistral"), {"full": {}}))[0])
    plan = memory_plan.read_plan(tmp_path)
    assert plan is not None
    assert [plan.settings[name].micro_batch_tokens for name in methods] == [WHOLE_STEP, 8 * 16]


def test_a_method_that_cannot_work_on_the_network_leaves_the_others_their_plan(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    """BitFit finds no biases in a Mistral; its own training says so."""
    model = pretrained("mistral")
    alone = settings_of(tmp_path, model, {"full": {}})
    assert settings_of(tmp_path, model, {"full": {}, "bitfit": {}})["full"] == alone["full"]


def planned(
    folder: Path, comparison: Comparison, waiting: Sequence[RunSpec] | None = None
) -> tuple[dict[str, MemorySettings | None], StageError | None]:
    """What the runner gives each run that is not finished."""

    def plan_stage(run_folder: Path) -> StageError | None:
        spec = RunSpec.model_validate_json((run_folder / "spec.json").read_bytes())
        plan_in(folder, spec)
        return None

    runs, error = with_memory(specs_of(comparison) if waiting is None else waiting, Store(folder), plan_stage)
    return {spec.name: spec.memory for spec in runs}, error


def test_runs_get_their_settings_and_keep_their_ids(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    comparison = comparison_of(pretrained("mistral"), METHODS)
    write_comparison(tmp_path, comparison, LENGTHS)
    found, error = planned(tmp_path, comparison)
    plan = memory_plan.read_plan(tmp_path)
    assert plan is not None
    assert (error, found) == (None, {"tfidf": None, **plan.settings})
    full = specs_of(comparison)[1]
    with_settings = full.model_copy(update={"memory": found["full"]})
    assert with_settings.run_id == full.run_id
    assert memory_settings(with_settings, job_on_the_gpu(full, ("a",)), LENGTHS) == plan.settings["full"]
    with pytest.raises(RuntimeError, match="no memory settings"):
        memory_settings(full, job_on_the_gpu(full, ("a",)), LENGTHS)


def test_a_method_that_joins_later_leaves_a_trained_run_its_settings(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is scored in the spec that it was trained with; the others get what fits all."""
    model = pretrained("mistral")
    comparison = comparison_of(model, METHODS)
    write_comparison(tmp_path, comparison, LENGTHS)
    before, _ = planned(tmp_path, comparison)
    full = specs_of(comparison)[1].model_copy(update={"memory": before["full"]})
    folder = tmp_path / "runs" / full.run_id
    (folder / "train.json").parent.mkdir(exist_ok=True)
    (folder / "train.json").write_text("{}")
    (folder / "spec.json").write_text(full.model_dump_json())
    monkeypatch.setattr(memory_plan, "current_gpu", lambda: replace(GPU, free_gb=1e-4))
    more = comparison_of(model, METHODS | {"dora": {}})
    write_comparison(tmp_path, more, LENGTHS)
    after, _ = planned(tmp_path, more)
    assert after["full"] == before["full"]
    assert after["lora"] != before["lora"]
    assert chosen_of(after["lora"]) == chosen_of(after["dora"])


def test_a_finished_record_keeps_the_settings_of_its_time(pretrained: Callable[[str], Path]) -> None:
    (spec,) = specs_of(comparison_of(pretrained("bert"), {"full": {}}))
    settings = MemorySettings(micro_batch_rows=3, recompute=True)
    record = RunRecord(
        run_id=spec.run_id,
        name="full",
        method="full",
        title="Full fine-tuning",
        traits=method_class("full").traits,
        seed=0,
        partition=0,
        status="failed",
        error="it failed",
        spec=spec.model_copy(update={"memory": settings, "needs": "network"}),
    )
    found = with_current_spec(record, spec).spec
    assert (found.memory, found.needs) == (settings, "training")


def test_nothing_is_planned_where_nothing_trains_or_no_gpu_is(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = comparison_of(pretrained("bert"), METHODS)
    found, error = planned(tmp_path, comparison, [specs_of(comparison)[0]])
    assert (found, error) == ({"tfidf": None}, None)
    monkeypatch.setattr("showdown.runner.memory.has_gpu", lambda: False)
    assert planned(tmp_path, comparison) == ({"tfidf": None, "full": None, "lora": None}, None)
    assert not (tmp_path / "memory.json").exists()


def test_the_error_of_a_plan_is_handed_on(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    comparison = comparison_of(pretrained("bert"), METHODS)
    failed = StageError(status="failed", error="the GPU is gone")
    runs, error = with_memory(specs_of(comparison), Store(tmp_path), lambda folder: failed)
    assert error == failed
    assert {spec.memory for spec in runs} == {None}


def test_lean_full_fine_tuning_steps_inside_the_backward_pass_where_nothing_clips(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    model = pretrained("mistral")
    assert not settings_of(tmp_path, model, memory="lean")["full"].step_in_backward
    inside = settings_of(tmp_path, model, memory="lean", max_gradient_norm=None)
    assert inside["full"].step_in_backward
    assert inside["full"].micro_batch_rows == inside["lora"].micro_batch_rows == 8


def test_moments_on_the_host_leave_the_gpu(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    model, free = pretrained("mistral"), {"max_gradient_norm": None, "match_memory": False, "memory": "lean"}
    on_gpu = settings_of(tmp_path, model, **free)["full"]
    on_host = settings_of(tmp_path, model, **free, moments_on_host=True)["full"]
    assert on_host.step_in_backward
    weights = sum(value.numel() for value in _network(model).parameters())
    assert (on_gpu.expected_peak_gb or 0) - (on_host.expected_peak_gb or 0) == pytest.approx(
        4 * weights / 1e9, abs=1e-3
    )


def _network(model: Path) -> torch.nn.Module:
    from showdown.models.network import network_skeleton

    return network_skeleton(model, job(model)).module


def test_rows_that_the_user_names_are_taken(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    found = settings_of(tmp_path, pretrained("bert"), micro_batch_rows=3)
    assert {one.micro_batch_rows for one in found.values()} == {3}


@pytest.mark.parametrize(
    ("protocol", "rows", "recompute"),
    [({}, 8, False), ({"memory": "lean"}, 4, True), ({"micro_batch_rows": 2}, 2, False)],
)
def test_a_cpu_needs_no_count(
    pretrained: Callable[[str], Path], protocol: dict[str, Any], rows: int, recompute: bool
) -> None:
    model = pretrained("bert")
    given = job(model, effective_batch_rows=12, **protocol)
    (spec,) = specs_of(comparison_of(model, {"full": {}}))
    found = memory_settings(spec, given, LENGTHS)
    assert (found.micro_batch_rows, found.recompute, found.expected_peak_gb) == (rows, recompute, None)
    few = replace(given, protocol=given.protocol.model_copy(update={"effective_batch_rows": 2}))
    assert memory_settings(spec, few, LENGTHS).micro_batch_rows == 2


def test_settings_are_described_in_a_line() -> None:
    chosen = MemorySettings(micro_batch_rows=4, recompute=True, step_in_backward=True, expected_peak_gb=15.234)
    assert chosen.sentence(16.0) == (
        "memory `16.0`: micro-batch at most 4 rows, layers recomputed in the backward pass, "
        "step inside the backward pass, expected peak 15.2 GB"
    )


def test_masters_are_kept_where_few_weights_learn_and_on_a_cpu() -> None:
    auto = SharedProtocol()
    assert (rounding_of(auto, True, "cuda"), rounding_of(auto, False, "cuda")) == ("stochastic", "float32")
    assert rounding_of(auto, True, "cpu") == "float32", "random bits are slow there, and memory is not scarce"
    on_host = SharedProtocol(moments_on_host=True, max_gradient_norm=None)
    assert rounding_of(on_host, True, "cpu") == "stochastic", "moments on the host keep no masters"
    assert rounding_of(SharedProtocol(weight_rounding="nearest"), False, "cpu") == "nearest"


def test_a_budget_is_refused_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.runner.memory_check.has_gpu", lambda: False)
    with pytest.raises(UserError, match=r"protocol\.memory: a budget of 16 GB.*use `speed` or `lean`"):
        refuse_budget_on_cpu(SharedProtocol(memory=16))
    refuse_budget_on_cpu(SharedProtocol(memory="lean"))
    monkeypatch.setattr("showdown.runner.memory_check.has_gpu", lambda: True)
    refuse_budget_on_cpu(SharedProtocol(memory=16))


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({"moments_on_host": True}, "max_gradient_norm: null"),
        ({"moments_on_host": True, "max_gradient_norm": None, "weight_rounding": "float32"}, "weight_rounding"),
    ],
)
def test_what_cannot_be_together_is_refused(protocol: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SharedProtocol(**protocol)
