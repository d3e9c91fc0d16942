"""The comparisons of both tasks that are killed, and what of their results must be equal."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison
from showdown.testing.material import MATERIALS
from showdown.testing.tiny import make_pretrained

Pretrained = Callable[[str], Path]
SAME = ("status", "accuracy", "f1_macro", "f1_weighted", "validation_f1_macro", "confusion_matrix", "per_class")
FIRST = {"classification": "tfidf", "generation": "prompt-search"}
"""The arm beside LoRA, which comes first."""
METHODS = {
    "classification": {"tfidf": {}, "lora": {"learning_rate": 0.01}},
    "generation": {
        "prompt-search": {"trials": 3, "examples": [0, 1], "validation_rows": 4},
        "lora": {"learning_rate": 0.01},
    },
}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "classification": {"tuning": None},
    "generation": {"tuning": {"trials": 3, "epochs": 1}, "max_new_tokens": 6},
}


@dataclass(frozen=True)
class Outcome:
    """What must be equal, and what tells whether a run was done again."""

    scores: dict[str, dict[str, Any]]
    files: dict[str, str]

    @classmethod
    def of(cls, output: Path) -> "Outcome":
        """Read a finished comparison."""
        results = Results.model_validate_json((output / "results.json").read_bytes())
        kept = [*output.glob("runs/*/predictions.csv"), *output.glob("runs/*/curve.json")]
        kept += [*output.glob("runs/*/artifact/*.safetensors"), *output.glob("runs/*/artifact/prompt.json")]
        states = [(run.name, run.status, run.error) for run in results.runs]
        # Two predictions files, the curve and the weights of LoRA, and the prompt that a search found.
        assert len(kept) == (5 if any(path.name == "prompt.json" for path in kept) else 4), states
        return cls(
            scores={run.name: _scores(run) for run in results.runs},
            files={str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept},
        )


def _scores(run: RunRecord) -> dict[str, Any]:
    written = run.model_dump()
    found = {key: written[key] for key in (*SAME, "scores", "validation_scores")}
    found["learning_rate"] = run.chosen.get("learning_rate")
    found["tokens_written"] = run.writing.tokens_written if run.writing else None
    return found


def comparison_of(pretrained: Pretrained, folder: Path, task: str = "classification") -> dict[str, Any]:
    """Return a comparison of LoRA and another method on 18 rows, with a checkpoint at every step."""
    data = MATERIALS[task].source(folder, 18).model_copy(update={"near_duplicate_jaccard": 0.99})
    comparison = Comparison.model_validate(
        {
            "task": task,
            "data": data.model_dump(mode="json"),
            "model": {"id": str(_model(pretrained, folder, task))},
            "methods": METHODS[task],
            "seeds": [0],
            "protocol": {
                "split": {"kind": "single", "train": 0.5, "validation": 0.25, "test": 0.25},
                "epochs": 2,
                "patience_epochs": None,
                "effective_batch_rows": 6,
                "checkpoint_every_steps": 1,
                **PROTOCOLS[task],
            },
        }
    )
    return comparison.model_dump(mode="json")


def _model(pretrained: Pretrained, folder: Path, task: str) -> Path:
    if task == "classification":
        return pretrained("bert")
    model = folder / "model"
    model.mkdir()
    make_pretrained("llama", model, chat=True)
    return model
