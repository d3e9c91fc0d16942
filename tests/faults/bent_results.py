"""Results folders as a stranger may send them: one value of `results.json` is another than a run writes."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generation_results import ARMS, made_rows, write_generation
from processed_prompts import write_processed
from report.written_comparison import METHODS, write_comparison
from showdown.core.files import write_text
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.samples import Sample
from showdown.core.spec import Comparison

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 10**400, -(10**30), 1e308, -0.5, 0.5, 1.5, float("nan"), float("inf")),
    *("", "a", "x" * 5000, "../../evil", "/etc/passwd", "\x1b[31m\x07", "\ud800", "<script>alert(1)</script>", "=1+1"),
    *([], {}, [[]], [None], [{}], {"a": {}}, {"": None}, [[[[[]]]]], [1, "a"], {"training": 1}, "nan", "1e999", "2024"),
)
_CURVE_SCORE = {CLASSIFICATION: "f1_macro", GENERATION: "token_probability"}


def whole_results(folder: Path, task: str = CLASSIFICATION) -> dict[str, Any]:
    """Write a finished comparison with everything that a report reads, and return its results."""
    if task == CLASSIFICATION:
        results = write_comparison(folder, methods={name: METHODS[name] for name in ("majority", "tfidf", "lora")})
        comparison = Comparison.model_validate({"name": "small", "methods": {"majority": {}, "tfidf": {}, "lora": {}}})
    else:
        arms = {name: ARMS[name] for name in ("common", "zero_shot", "lora")}
        results = write_generation(folder, arms=arms, own=lambda wanted, written: float(wanted == written))
        write_processed(folder, made_rows(60))
        methods: dict[str, Any] = {
            "common": {"method": "most-common"},
            "zero_shot": {"method": "zero-shot"},
            "lora": {},
        }
        comparison = Comparison.model_validate({"name": "small", "task": task, "methods": methods})
    found: dict[str, Any] = json.loads(results.model_dump_json())
    found["comparison"] = comparison.model_dump(mode="json")
    found["data"]["audit"]["across"] = {"test_copies": 1, "test_rows": 60, "crosses": True}
    lengths = {"max_tokens": 512, "median_tokens": 9.0, "longest_tokens": 40, "cut_rows": [], "cut_share": 0.0}
    worth = {"rows": 60, "folds": 5, "leaky_accuracy": 0.9, "clean_accuracy": 0.5}
    found["data"]["inspection"] = {"lengths": lengths, "leak_worth": worth, "notices": ["long texts"]}
    found["data"]["notices"] = ["60 rows of 300"]
    lora = found["runs"][-1]
    lora |= {"tuning_seconds": 3.0, "allow_leakage": True}
    if task == CLASSIFICATION:
        lora["validation_f1_macro"] = 0.5
    else:
        lora["writing"] |= {"corpus_chrf": 0.5, "corpus_chrf_low": 0.4, "corpus_chrf_high": 0.6}
    lora["spec"]["protocol"]["tuning"] = {"trials": 3, "epochs": None, "widen": True}
    lora["chosen"] |= {"learning_rate": 0.001}
    curve = {
        "training": {
            "step": [1, 2, 3],
            "loss": [2.0, 1.0, 0.5],
            "learning_rate": [0.1] * 3,
            "gradient_norm": [1.0] * 3,
        },
        "validation": [{"epoch": 1, "step": 3, _CURVE_SCORE[task]: 0.5, "loss": 0.7}],
    }
    sample = {**dict.fromkeys(Sample.model_fields), "phase": "training", "ram_gb": 0.75, "cpu_percent": 180.0}
    for name, content in {
        "curve_file": json.dumps(curve),
        "system_file": "".join(json.dumps({**sample, "seconds": float(second)}) + "\n" for second in range(4)),
    }.items():
        lora[name] = f"runs/{name}.json"
        write_text(folder / lora[name], content)
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, that of the whole first."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*path, key))


def bent(whole: dict[str, Any], count: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield results with one to three values replaced, taken away, doubled or swapped, and what was done."""
    draw = random.Random(seed)
    for _ in range(count):
        results: dict[str, Any] = json.loads(json.dumps(whole))
        done = []
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            path = _place(results, draw)
            if not path:
                continue
            holder: Any = results
            for key in path[:-1]:
                holder = holder[key]
            kind = draw.choice(("put", "put", "put", "take", "double"))
            value = draw.choice(VALUES)
            done.append(f"{kind} {'.'.join(map(str, path))} {str(value)[:30]!r}")
            if kind == "put":
                holder[path[-1]] = value
            elif kind == "take":
                del holder[path[-1]]
            elif isinstance(holder, list):
                holder.append(holder[path[-1]])
            else:
                holder["more"] = holder[path[-1]]
        yield "; ".join(done), results


def _place(results: dict[str, Any], draw: random.Random) -> tuple[Any, ...]:
    """Draw a depth first: most values lie deep, and most that are read do not."""
    every = list(places(results))
    depth = draw.randint(1, 6)
    return draw.choice([path for path in every if len(path) == depth] or every)
