"""Learning rates of prompt and prefix tuning on the quickstart's data and model, and where the virtual tokens stand.

    python -m benchmarks.statistics.virtual_token_rates --epochs 4 --out benchmarks/results
    python -m benchmarks.statistics.virtual_token_rates --epochs 10 --multiples 1 3 --seed 1 --out benchmarks/results

Each training goes through the product's loop: ten kinds of the built-in resumes, 64 tokens, four rows a step, and at
most so many epochs. The last ones put the virtual tokens before the text of this encoder, where its first token, which
makes the answer, is a virtual one.
"""

import csv
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.lib.result import ROOT, argument_parser, write_result
from benchmarks.statistics import learning_rates
from showdown.config.read import read_comparison

TOKENS, ROWS = 64, 4
MULTIPLES = (1.0, 3.0, 0.3, 10.0)
"""Of the default rate."""


def quickstart_rows(folder: Path) -> Path:
    """Write the quickstart's rows into a CSV file with the columns that `learning_rates` reads; return the file."""
    labels = read_comparison(ROOT / "comparisons" / "quickstart.yaml", base={}, overrides=[]).data.labels or ()
    source = ROOT / "src" / "showdown" / "datasets" / "resumes.csv"
    rows = list(csv.DictReader(source.read_text(encoding="utf-8").splitlines(keepends=True)))
    label, text = rows[0].keys()
    with (folder / "quickstart.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([row[text], row[label]] for row in rows if row[label] in labels)
    return folder / "quickstart.csv"


def main() -> None:
    """Train and write after every training, so that an interrupted call keeps what it measured."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--methods", nargs="+", default=["prompt", "prefix"])
    parser.add_argument("--multiples", nargs="+", type=float, default=list(MULTIPLES))
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    learning_rates.TOKENS = TOKENS
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = quickstart_rows(Path(folder))
        for method in options.methods:
            bench = learning_rates.Bench(data, "all-minilm-l6-v2", method, options.seed)
            for multiple in options.multiples:
                records.append(trained(bench, multiple, options.epochs) | {"where": "behind"})
                write_result(options, {"trainings": records}, variant=str(options.epochs), device="cpu")
        if "prompt" in options.methods:
            from showdown.methods import virtual_tokens

            virtual_tokens._reads_to_the_right = lambda network: True
            records.append(trained(bench_of(data, options.seed), 1.0, options.epochs) | {"where": "before"})
            write_result(options, {"trainings": records}, variant=str(options.epochs), device="cpu")


def bench_of(data: Path, seed: int) -> learning_rates.Bench:
    """Return prompt tuning on the data."""
    return learning_rates.Bench(data, "all-minilm-l6-v2", "prompt", seed)


def trained(bench: learning_rates.Bench, multiple: float, epochs: int) -> dict[str, Any]:
    """Train at a multiple of the default rate, and print and return its record."""
    record = bench.train(multiple, epochs, effective_batch_rows=ROWS, dropout=0.0)
    accuracy = record["accuracy"]
    print(f"{record['method']} at {record['learning_rate']:.3g}: {accuracy}, {record['seconds']} s", flush=True)
    return record


if __name__ == "__main__":
    main()
