"""A finished comparison of the task `generation` on the disk, written in milliseconds and the same each time.

No model is behind it: each arm answers a field of a record rightly by chance, as often as its skill says. Processed
rows are not written: `made_rows` gives the prompts and the wanted answers.
"""

import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

import numpy as np

from showdown.core.csv_writer import csv_writer
from showdown.core.record import (
    Convergence,
    Elsewhere,
    Environment,
    OwnScore,
    PeakMemory,
    Phase,
    PredictionSpeed,
    Results,
    RunRecord,
    Writing,
)
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.core.traits import Traits, fine_tuned
from showdown.core.written import COLUMNS, SCORE

Wanted = Literal["json", "number", "short", "long"]
"""What the wanted answers are: records in JSON, numbers, one word, or a sentence."""
MAX_NEW_TOKENS = 48
GENERAL_TOKENS = 2_000
_GENERAL_LOSS = 3.25
"""Loss on general text before training, in nats a token."""
_NAMES = ("Ada", "Ben", "Chloe", "Dev", "Eve", "Finn", "Grace", "Hugo", "Ida", "Jon")
_TOWNS = ("Leeds", "Porto", "Turin", "Ghent", "Bergen", "Malmo", "Graz", "Cork")
_PHASES = ("start", "loading", "training", "validation", "saving", "start of scoring", "reloading", "prediction")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A row of the table."""

    method: str
    title: str
    traits: Traits
    skill: float
    """Share of the fields that it gets right; less than 0 for an arm that writes the same answer to every prompt."""
    rise: float | None = None
    """Rise of the loss on general text in nats a token; None where no network is trained."""
    cut: int = 0
    """Answers of a run that are cut at the limit."""
    dear: float = 1.0
    """Factor of all costs."""


_PROMPTED = Traits(role="prompted", deterministic=True, reads="tokens", color="gray")
ARMS: Mapping[str, Arm] = {
    "common": Arm(
        method="common_answer",
        title="Most common answer",
        traits=Traits(role="floor", deterministic=True, reads="nothing"),
        skill=-1.0,
        dear=0.1,
    ),
    "zero_shot": Arm(method="zero_shot", title="Zero-shot", traits=_PROMPTED, skill=0.3, cut=5, dear=0.5),
    "few_shot": Arm(method="few_shot", title="Few-shot", traits=_PROMPTED, skill=0.6, cut=1, dear=0.8),
    "full": Arm(
        method="full", title="Full fine-tuning", traits=fine_tuned(color="blue"), skill=0.93, rise=0.41, dear=4
    ),
    "lora": Arm(method="lora", title="LoRA", traits=fine_tuned(color="orange"), skill=0.92, rise=0.06, dear=2),
    "qlora": Arm(
        method="qlora", title="QLoRA", traits=fine_tuned(quantised=True, color="purple"), skill=0.9, rise=0.05, dear=3
    ),
}
"""A floor, two prompt methods and three fine-tuned ones; full fine-tuning forgets most."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A test row."""

    row: int
    """1-based, of the source."""
    cluster: int
    prompt: str
    answer: str
    """The wanted one."""


def made_rows(count: int, *, wanted: Wanted = "json", copies: int = 1) -> list[Row]:
    """Return test rows: the same ones each time; so many at a time are copies of each other."""
    draw = np.random.default_rng(7)
    found = []
    for place in range(count):
        if place % copies == 0:
            name, town, age = str(draw.choice(_NAMES)), str(draw.choice(_TOWNS)), int(draw.integers(20, 80))
        found.append(
            Row(
                row=place + 1,
                cluster=place // copies,
                prompt=f"Note {place // copies}: {name}, {age}, moved to {town}.",
                answer=_answer(wanted, {"name": name, "age": age, "town": town}),
            )
        )
    return found


def write_generation(
    folder: Path,
    *,
    name: str = "extraction",
    arms: Mapping[str, Arm] = ARMS,
    seeds: Sequence[int] = (0, 1),
    rows: int = 60,
    copies: int = 1,
    wanted: Wanted = "json",
    failed: Mapping[str, str] | None = None,
    own: Callable[[str, str], float] | None = None,
    own_score: OwnScore | None = None,
    protocol: dict[str, Any] | None = None,
    comparison: dict[str, Any] | None = None,
    model: str = "tiny/writer",
    fractions: Sequence[float] = (1.0,),
    gpu: str | None = None,
) -> Results:
    """Write `results.json` and predictions into a folder.

    Args:
        folder: a new one.
        name: of the comparison.
        arms: its rows.
        seeds: of every arm.
        rows: test rows.
        copies: test rows that are copies of each other.
        wanted: what the wanted answers are; it decides which scores apply.
        failed: by arm, the error of its runs.
        own: the user's own score, of the wanted and the written answer.
        own_score: what it is called, and its bounds; by default `judge`, from 0 to 1.
        protocol: keys of the shared protocol.
        comparison: further keys of the comparison.
        model: the network's id.
        fractions: parts of the training rows, as in a learning curve; a smaller part has a lower skill.
        gpu: its name; None for a CPU.

    """
    (folder / "runs").mkdir(parents=True)
    given = {"split": {"kind": "single"}, "max_new_tokens": MAX_NEW_TOKENS, "tuning": None, **(protocol or {})}
    test, runs = made_rows(rows, wanted=wanted, copies=copies), []
    for place, (key, arm) in enumerate(arms.items()):
        for number, (seed, fraction) in enumerate((seed, fraction) for fraction in fractions for seed in seeds):
            if fraction < 1.0 and arm.rise is None:
                continue
            spec = RunSpec(
                name=key,
                method=arm.method,
                settings={"learning_rate": 2e-4} if arm.rise is not None else {},
                model=ModelSpec(id=model, revision="0123abc"),
                protocol=SharedProtocol.model_validate(given),
                seed=seed,
                train_fraction=fraction,
                data_fingerprint="f" * 64,
                task="generation",
            )
            base = {"run_id": spec.run_id, "name": key, "method": arm.method, "title": arm.title, "traits": arm.traits}
            base |= {"seed": seed, "partition": 0, "spec": spec}
            if key in (failed or {}):
                runs.append(RunRecord.model_validate({**base, "status": "out-of-memory", "error": failed[key]}))
                continue
            # A method that does not depend on its seed writes the same each time.
            chance = 100 * place + (0 if arm.traits.deterministic else number)
            said = _written(test, arm, wanted, chance=chance, skill=arm.skill * fraction**0.5)
            scores = row_scores(test, said, wanted, own)
            losses = _losses(test, arm, chance=chance)
            file = f"runs/{key}-{seed}-{number}.csv"
            content = _predictions(test, said, scores, losses, cut=arm.cut)
            (folder / file).write_text(content, encoding="utf-8", newline="")
            runs.append(
                RunRecord.model_validate(
                    {
                        **base,
                        **_measured(arm, gpu, chance=chance),
                        "status": "completed",
                        "scores": _means(scores, losses),
                        "validation_scores": {key: float(np.mean(one)) / 2 for key, one in scores.items()},
                        "writing": _writing(said, arm, (own_score or OwnScore(title="judge")) if own else None),
                        "predictions_file": file,
                        "predictions_sha256": hashlib.sha256(content.encode()).hexdigest(),
                        "predictions_rows": rows,
                    }
                )
            )
    results = Results(
        name=name,
        comparison={
            "name": name,
            "task": "generation",
            "data": {"source": f"{name}.csv", "prompt": "note", "answer": "record"},
            "seeds": list(seeds),
            **({"protocol": protocol} if protocol else {}),
            **(comparison or {}),
        },
        data={
            "fingerprint": "f" * 64,
            "labels": [],
            "split": runs[0].spec.protocol.split.model_dump(mode="json"),
            "partitions": 1,
            "audit": {"rows_in": 5 * rows, "rows_used": 5 * rows, "clusters": rows},
            "written": {"median_answer_words": float(median(len(one.answer.split()) for one in test))},
        },
        runs=runs,
    )
    (folder / "results.json").write_text(results.model_dump_json(), encoding="utf-8")
    return results


def row_scores(
    test: Sequence[Row], said: Sequence[str], wanted: Wanted, own: Callable[[str, str], float] | None = None
) -> dict[str, list[float]]:
    """Return what each row scores, by the key of each score that applies; simple forms of the real ones."""
    pairs = list(zip([row.answer for row in test], said, strict=True))
    functions: dict[str, Callable[[str, str], float]] = {"exact_match": lambda right, text: float(right == text)}
    if wanted == "number":
        functions["numeric_match"] = functions["exact_match"]
    if wanted == "json":
        functions |= {"json_valid": lambda _, text: float(_record(text) is not None), "json_fields": _fields}
    functions |= {"rouge_l": _common_words, "chrf": _common_letters} | ({"own": own} if own else {})
    return {key: [score(*pair) for pair in pairs] for key, score in functions.items()}


def _answer(wanted: Wanted, fields: Mapping[str, Any]) -> str:
    if wanted == "json":
        return json.dumps(fields)
    if wanted == "number":
        return str(fields["age"])
    if wanted == "short":
        return str(fields["town"])
    return f"{fields['name']} is {fields['age']} years old and has since last summer lived in {fields['town']}."


def _written(test: Sequence[Row], arm: Arm, wanted: Wanted, *, chance: int, skill: float) -> list[str]:
    """Return answers whose fields are right as often as the skill says."""
    if arm.skill < 0:
        return [Counter(row.answer for row in test).most_common(1)[0][0]] * len(test)
    draw, hard = np.random.default_rng(chance), np.random.default_rng(3)
    found = []
    for place, row in enumerate(test):
        # Rows are hard or easy for all arms, so that answers hang together.
        right = draw.random(3) / 2 + hard.random(3) / 2 < _threshold(skill)
        true = row.prompt.split(": ")[1].removesuffix(".").split(", ")
        fields = {
            "name": true[0] if right[0] else "Zoe",
            "age": int(true[1]) if right[1] else int(true[1]) + 1 + chance % 7,
            "town": true[2].removeprefix("moved to ") if right[2] else "Oslo",
        }
        text = _answer(wanted, fields)
        found.append(text[: len(text) // 2] if place < arm.cut else text)
    return found


def _threshold(share: float) -> float:
    """Return what the mean of two even draws from 0 to 1 is below with this probability."""
    return math.sqrt(share / 2) if share < 0.5 else 1 - math.sqrt((1 - share) / 2)


def _losses(test: Sequence[Row], arm: Arm, *, chance: int) -> list[tuple[float, int]] | None:
    """Return summed loss and tokens of the wanted answers; None for an arm without probabilities."""
    if arm.skill < 0:
        return None
    draw = np.random.default_rng(1_000 + chance)
    return [
        (tokens * float(2.5 * (1 - arm.skill) * draw.uniform(0.6, 1.4)), tokens)
        for tokens in (_tokens(row.answer) for row in test)
    ]


def _tokens(text: str) -> int:
    return len(text) // 4 + 1


def _predictions(
    test: Sequence[Row],
    said: Sequence[str],
    scores: Mapping[str, Sequence[float]],
    losses: Sequence[tuple[float, int]] | None,
    *,
    cut: int,
) -> str:
    file = io.StringIO()
    lines = csv_writer(file)
    lines.writerow([*COLUMNS, *(f"{SCORE}{key}" for key in scores)])
    for place, (row, text) in enumerate(zip(test, said, strict=True)):
        loss = ["", ""] if losses is None else [f"{losses[place][0]:.9g}", losses[place][1]]
        ended = [_tokens(text), int(place >= cut)]
        lines.writerow([row.row, row.cluster, text, *ended, *loss, *(f"{one[place]:.9g}" for one in scores.values())])
    return file.getvalue()


def _means(scores: Mapping[str, Sequence[float]], losses: Sequence[tuple[float, int]] | None) -> dict[str, float]:
    found = {key: fmean(values) for key, values in scores.items()}
    if losses is not None:
        loss = sum(one for one, _ in losses) / sum(tokens for _, tokens in losses)
        found |= {"token_loss": loss, "perplexity": math.exp(loss)}
    return found


def _writing(said: Sequence[str], arm: Arm, own_score: OwnScore | None) -> Writing:
    tokens = sum(_tokens(text) for text in said)
    if arm.skill < 0:
        return Writing(tokens_written=tokens, own_score=own_score)
    return Writing(
        tokens_written=tokens,
        tokens_per_second=120.0 / arm.dear,
        first_token_p50_ms=20.0 * arm.dear,
        first_token_p95_ms=30.0 * arm.dear,
        max_new_tokens=MAX_NEW_TOKENS,
        cut_answers=arm.cut,
        own_score=own_score,
    )


def _measured(arm: Arm, gpu: str | None, *, chance: int) -> dict[str, Any]:
    """Return costs in proportion to how dear an arm is."""
    draw, trained = np.random.default_rng(2_000 + chance), arm.rise is not None
    peak = PeakMemory(training=0.5 * arm.dear if trained else None, run=0.75 * arm.dear)
    found = {
        "train_rows": 240,
        "train_seconds": 100.0 * arm.dear if trained else 0.0,
        "total_seconds": 150.0 * arm.dear,
        "phases": [
            Phase(
                name=phase,
                seconds=10.0 * arm.dear,
                peak_allocated_gb=0.5 * arm.dear,
                peak_reserved_gb=0.5 * arm.dear,
                peak_device_gb=0.75 * arm.dear,
            )
            for phase in _PHASES
            if trained or phase != "training"
        ],
        "peak_memory_allocated_gb": peak,
        "peak_memory_reserved_gb": peak,
        "peak_memory_device_gb": peak,
        "memory_kind": "gpu" if gpu else "process resident set",
        "trainable_parameters": 1_000_000 if trained else 0,
        "total_parameters": 135_000_000,
        "model_size_mb": 4.0 * arm.dear if trained else 0.0,
        "rows_per_second": 8.0 / arm.dear,
        "latency_p50_ms": 250.0 * arm.dear,
        "latency_p95_ms": 400.0 * arm.dear,
        "prediction_speeds": [
            PredictionSpeed(batch_rows=batch, rows_per_second=one, latency_p50_ms=p50, latency_p95_ms=p95)
            for batch, one, p50, p95 in ((1, 2.0, 250.0 * arm.dear, 400.0 * arm.dear), (8, 8.0 / arm.dear, 900, 999))
        ],
        "chosen": {"device": "cuda" if gpu else "cpu", "max_tokens": 512},
        "environment": Environment(
            versions={"python": "3.11.7", "torch": "2.13.0"},
            commit=None,
            platform="Linux",
            cpu="An example's processor",
            cpu_threads=2,
            memory_gb=8.0,
            gpu=gpu,
            gpu_memory_gb=80.0 if gpu else None,
            driver="580.1" if gpu else None,
        ),
    }
    if arm.rise is not None:
        after = _GENERAL_LOSS + arm.rise * float(draw.uniform(0.95, 1.05))
        found["convergence"] = Convergence(converged=True, stopped="patience", epochs=6, best_epoch=3)
        found["elsewhere"] = Elsewhere(
            general_loss_before=_GENERAL_LOSS,
            general_loss_after=after,
            general_tokens=GENERAL_TOKENS,
            prompt_kl=arm.rise / 2,
            prompt_tokens=900,
        )
    return found


def _record(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _fields(right: str, text: str) -> float:
    """Return the F1 of the fields of a record."""
    wanted, said = json.loads(right), _record(text)
    if said is None:
        return 0.0
    hits = sum(key in said and said[key] == value for key, value in wanted.items())
    return 2 * hits / (len(wanted) + len(said))


def _common_words(right: str, text: str) -> float:
    """Return the F1 of the longest common sequence of words."""
    one, other = right.split(), text.split()
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    for i, left in enumerate(one, 1):
        for j, word in enumerate(other, 1):
            table[i, j] = table[i - 1, j - 1] + 1 if left == word else max(table[i - 1, j], table[i, j - 1])
    return float(2 * table[-1, -1] / (len(one) + len(other)))


def _common_letters(right: str, text: str) -> float:
    """Return the F2 of runs of three characters, where there are any."""
    one, other = (Counter(words[i : i + 3] for i in range(len(words) - 2)) for words in (right, text))
    hits = (one & other).total()
    weighed = 4 * one.total() + other.total()
    return 5 * hits / weighed if weighed else float(right == text)
