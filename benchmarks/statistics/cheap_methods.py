"""How the defaults of methods on words and embeddings were chosen: accuracy on random splits of the built-in resumes.

python -m benchmarks.statistics.cheap_methods --out benchmarks/results

Each variant is fitted on 55 % of the rows, chooses what it chooses on 15 %, and answers the other 30 %; the mean over
the splits is printed, for all 25 labels and for the ten of the quickstart. Texts are embedded once, in 96 tokens.
What is measured is written after each variant, so that a call that is cut short keeps it.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import mean
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import ComplementNB, MultinomialNB

from benchmarks.lib.result import ROOT, argument_parser, write_result
from showdown.config.read import read_comparison
from showdown.core.method import Job, Placement
from showdown.core.spec import DataSpec, ModelSpec, SharedProtocol
from showdown.data.gather import gather
from showdown.methods.choice import best_by_validation
from showdown.methods.embedded import HeldOut
from showdown.methods.linear_head import logistic
from showdown.methods.static import distilled, embedded
from showdown.methods.table import build
from showdown.models.embedding import Embedder
from showdown.models.source import locate
from showdown.tasks.classification.task import Classification

ENCODER, DECODER = "all-minilm-l6-v2", "smollm2-135m-instruct"
TOKENS, BATCH_ROWS = 96, 16
TRAIN, VALIDATION = 0.55, 0.15
Rows = np.ndarray
Variant = Callable[[Rows, Rows, Rows], Rows]
"""From the numbers of the training, validation and test rows to the answers of the test rows."""


def splits(rows: Rows, count: int) -> Iterator[tuple[Rows, Rows, Rows]]:
    """Yield training, validation and test rows."""
    for seed in range(count):
        order = np.random.default_rng(seed).permutation(rows)
        train, held_out = round(TRAIN * len(rows)), round((TRAIN + VALIDATION) * len(rows))
        yield order[:train], order[train:held_out], order[held_out:]


def job_of(model: str, labels: Sequence[str]) -> Job:
    """Return what texts are embedded for."""
    return Job(
        task=Classification(),
        labels=tuple(labels),
        model=ModelSpec(id=model),
        protocol=SharedProtocol(max_tokens=TOKENS),
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )


def on_vectors(vectors: Rows, targets: Rows, job: Job, name: str, settings: dict[str, Any]) -> Variant:
    """Return a method on embeddings that are there already."""

    def answer(train: Rows, held_out: Rows, test: Rows) -> Rows:
        method: Any = build(name, settings)
        known = HeldOut(vectors[held_out], targets[held_out].tolist())
        head, _ = method.fit_head(vectors[train], targets[train], job, known)
        return head.probabilities(vectors[test]).argmax(axis=1)

    return answer


def probe(vectors: Rows, targets: Rows, labels: int, regularisation: float) -> Variant:
    """Return a logistic regression whose C is as given, whatever the network."""

    def answer(train: Rows, held_out: Rows, test: Rows) -> Rows:
        head = logistic(vectors[train], targets[train], labels, regularisation=regularisation, seed=0)
        return head.probabilities(vectors[test]).argmax(axis=1)

    return answer


def naive_bayes(texts: Sequence[str], targets: Rows, form: Any, smoothings: Sequence[float]) -> Variant:
    """Return naive Bayes of a form, its smoothing chosen on the validation rows."""

    def answer(train: Rows, held_out: Rows, test: Rows) -> Rows:
        counts = CountVectorizer().fit([texts[row] for row in train])
        seen = {
            side: counts.transform([texts[row] for row in rows]) for side, rows in (("train", train), ("test", test))
        }
        known = [row for row in held_out if targets[row] in targets[train]]
        checked = counts.transform([texts[row] for row in known])
        _, model = best_by_validation(
            smoothings,
            lambda smoothing: form(alpha=smoothing).fit(seen["train"], targets[train]),
            lambda fitted: fitted.predict_proba(checked),
            np.searchsorted(np.unique(targets[train]), targets[known]).tolist(),
        )
        return model.predict(seen["test"])

    return answer


def variants(texts: Sequence[str], targets: Rows, labels: Sequence[str]) -> dict[str, Variant]:
    """Return all variants by name, texts embedded."""
    found: dict[str, Variant] = {}
    for form in (MultinomialNB, ComplementNB):
        found[f"naive Bayes, {form.__name__}, smoothing chosen"] = naive_bayes(
            texts, targets, form, (1.0, 0.3, 0.1, 0.03, 0.01)
        )
        found[f"naive Bayes, {form.__name__}, smoothing 1"] = naive_bayes(texts, targets, form, (1.0,))
    for model, poolings in ((ENCODER, ("mean", "last", "cls")), (DECODER, ("mean", "last"))):
        job = job_of(model, labels)
        for pooling in poolings:
            vectors = Embedder(locate(job.model), job, pooling).embed(texts, batch_rows=BATCH_ROWS)
            for strength in (1.0, 10.0, 100.0, 1000.0):
                found[f"frozen {model}, {pooling}, C {strength:g}"] = probe(vectors, targets, len(labels), strength)
            if (model, pooling) != (ENCODER, "mean"):
                continue
            for neighbours in (1, 5, 10, 20, 50, None):
                found[f"knn, neighbours {neighbours or 'chosen'}"] = on_vectors(
                    vectors, targets, job, "knn", {"neighbours": neighbours}
                )
            for leaf in (5, 20):
                found[f"boosting, leaf_rows {leaf}"] = on_vectors(
                    vectors, targets, job, "boosting", {"leaf_rows": leaf}
                )
    job = job_of(ENCODER, labels)
    embedder = Embedder(locate(job.model), job)
    before, after = embedder.marks()
    table = distilled(embedder.embed_vocabulary(), 256, silent=[*before, *after])
    vectors = embedded(table, embedder.tokenizer, texts, embedder.limit)
    found["static, C 10"] = probe(vectors, targets, len(labels), 10.0)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--splits", type=int, default=10, help="random splits of the rows")
    options = parser.parse_args()
    rows = gather(DataSpec())
    targets = np.array(rows.targets)
    ten = read_comparison(ROOT / "comparisons" / "quickstart.yaml", base={}, overrides=[]).data.labels or []
    few = [rows.labels.index(label) for label in ten]
    parts = {"25 labels": np.arange(len(targets)), "10 labels": np.flatnonzero(np.isin(targets, few))}
    measured = []
    for name, variant in variants(rows.texts, targets, rows.labels).items():
        accuracies = {
            part: mean(float((variant(*split) == targets[split[2]]).mean()) for split in splits(chosen, options.splits))
            for part, chosen in parts.items()
        }
        measured.append({"variant": name, **{part: round(value, 4) for part, value in accuracies.items()}})
        print(name, {part: f"{100 * value:.1f} %" for part, value in accuracies.items()}, flush=True)
        write_result(options, {"splits": options.splits, "accuracy": measured})


if __name__ == "__main__":
    main()
