"""Write docs/study-leak.md from two runs of comparisons/study-leak.yaml, whose results are its source.

python -m benchmarks.statistics.study_leak OUT/leaky OUT/clean > docs/study-leak.md
"""

import argparse
from pathlib import Path

import showdown
from benchmarks.lib.result import ROOT
from showdown.core.record import Results

METHODS_SOURCE = "comparisons/study-leak.yaml"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leaky", type=Path, help="results with the study's own split")
    parser.add_argument("clean", type=Path, help="results with duplicates on one side")
    options = parser.parse_args()
    leaky_folder, clean_folder = options.leaky, options.clean
    leaky, clean = showdown.load(leaky_folder), showdown.load(clean_folder)
    scores = {folder: {row.name: row for row in showdown.judge(folder).rows} for folder in (leaky_folder, clean_folder)}
    print("# What the study's leak was worth\n")
    print(_data(leaky))
    print(
        "| method | study's own split, accuracy | duplicates on one side, accuracy (95 % interval) "
        "| worth of the leak |\n"
        "| --- | ---: | ---: | ---: |"
    )
    for name, row in scores[leaky_folder].items():
        other = scores[clean_folder][name]
        if row.accuracy is None or other.accuracy is None:
            print(f"| {row.title} | {row.obstacle or 'completed'} | {other.obstacle or 'completed'} | |")
            continue
        print(
            f"| {row.title} | {100 * row.accuracy.value:.1f} % | {100 * other.accuracy.value:.1f} % "
            f"({100 * other.accuracy.low:.0f} to {100 * other.accuracy.high:.0f}) "
            f"| {100 * (row.accuracy.value - other.accuracy.value):+.1f} points |"
        )
    print(_sides(leaky, clean))
    print("\n## What the verdict says\n\nOf the study's own split:\n")
    print("\n".join(f"- {line}" for line in showdown.judge(leaky_folder).sentences))
    print("\nOf the split with duplicates on one side:\n")
    print("\n".join(f"- {line}" for line in showdown.judge(clean_folder).sentences))
    print(_how(leaky, clean))


def _data(leaky: Results) -> str:
    audit = leaky.data["audit"]
    across = audit["across"]
    return (
        f"The study's file has {audit['rows_used']} rows and {audit['clusters']} different texts. Split by rows, with "
        f"the study's cleaning and seed, {across['test_copies']} of {across['test_rows']} test rows are copies of "
        "training rows. The same methods on the same file, once split as the study did, once with every duplicate on "
        "one side:\n"
    )


def _sides(leaky: Results, clean: Results) -> str:
    counts = [results.data["audit"]["across"] for results in (leaky, clean)]
    rows = [f"{side['train_rows']}, {side['validation_rows']} and {side['test_rows']}" for side in counts]
    return (
        f"\nRows to train, validate and test on: {rows[0]} in the study's split, {rows[1]} with duplicates on one "
        "side. A test row that repeats another one counts again in both, so that the second column's interval is over "
        "different texts, not rows."
    )


def _how(leaky: Results, clean: Results) -> str:
    run = leaky.runs[-1]
    place = run.environment
    where = (
        f"{place.cpu}, torch {place.versions['torch']}, transformers {place.versions['transformers']}" if place else ""
    )
    lines = (ROOT / METHODS_SOURCE).read_text().splitlines()
    commands = "\n".join(line.removeprefix("#   ") for line in lines if line.startswith("#   showdown"))
    return (
        "\n## How it was measured\n\n"
        f"Model {run.spec.model.id}, {run.spec.protocol.epochs} epochs, the first {run.spec.protocol.max_tokens} "
        f"tokens of a text, one seed; settings in `{METHODS_SOURCE}`. {where}; "
        f"commit {place.commit if place else 'unknown'}; data "
        f"fingerprints {leaky.data['fingerprint'][:12]} and {clean.data['fingerprint'][:12]}.\n\n"
        f"```\n{commands}\npython -m benchmarks.statistics.study_leak OUT/leaky OUT/clean > docs/study-leak.md\n```"
    )


if __name__ == "__main__":
    main()
