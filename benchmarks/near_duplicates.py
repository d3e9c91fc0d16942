"""Are planted near-copies found, and only they? On the built-in resumes and on the study's.

Usage (from the checkout, about a minute):

    python benchmarks/near_duplicates.py

Every different text gets a copy with words changed; every text also gets a hard negative: a text of which the first
half is boilerplate that all negatives of its label share, the second half its own. A text shorter than ten words keeps
one change. Recall: planted copies in one cluster with their original. Precision: of all texts joined to another, those
that belong there. The threshold is the product's default, written into this file before the first run.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showdown.core.files import write_json
from showdown.core.spec import DataSpec
from showdown.data.duplicates import find_clusters
from showdown.data.read import read_table

HERE = Path(__file__).resolve().parent
STUDY = HERE.parent.parent / "shared" / "data" / "resumes.csv"
JACCARD = 0.8
"""Fixed beforehand; it allows 11 % of the words to be replaced."""
CHANGED_SHARES = (0.02, 0.05, 0.10)
KINDS = ("replace", "insert", "delete", "mixed")
SEEDS = 5
TARGET = 0.99


def different_texts(source: str) -> tuple[list[str], list[str]]:
    """One text of each cluster of a data set, and its label."""
    table = read_table(DataSpec(source=source))
    columns = {name.casefold(): index for index, name in enumerate(table.names)}
    texts = [str(cell) for cell in table.column(columns["resume" if "resume" in columns else "text"])]
    labels = [str(cell) for cell in table.column(columns["category" if "category" in columns else "label"])]
    first: dict[int, int] = {}
    for index, cluster in enumerate(find_clusters(texts, JACCARD).clusters):
        first.setdefault(cluster, index)
    return [texts[index] for index in first.values()], [labels[index] for index in first.values()]


def edited(text: str, vocabulary: Sequence[str], chance: random.Random, *, share: float, kind: str) -> str:
    """Change this share of a text's words, each at a place of its own; at least one."""
    words = text.split()
    changes = max(1, int(share * len(words)))
    for place in sorted(chance.sample(range(len(words)), changes), reverse=True):
        done = chance.choice(KINDS[:3]) if kind == "mixed" else kind
        if done == "insert":
            words.insert(place, chance.choice(vocabulary))
        elif done == "delete" and len(words) > 1:
            del words[place]
        else:
            words[place] = chance.choice(vocabulary)
    return " ".join(words)


def share_boilerplate(texts: Sequence[str], labels: Sequence[str], chance: random.Random) -> list[str]:
    """For each text one whose first half all of its label share and whose second half is its own.

    The boilerplate is a text of another label: taken from its own label, one negative would be a copy of that text.
    """
    of_label: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        of_label[label].append(index)
    made = [""] * len(texts)
    for members in of_label.values():
        others = sorted(set(range(len(texts))) - set(members))
        boilerplate = texts[chance.choice(others)].split()
        for index in members:
            own = texts[index].split()
            half = len(own) // 2
            made[index] = " ".join((boilerplate * (half // len(boilerplate) + 1))[:half] + own[half:])
    return made


def measure(texts: Sequence[str], labels: Sequence[str], *, share: float, kind: str) -> dict[str, Any]:
    """Plant and look, once a seed."""
    vocabulary = " ".join(texts).split()
    planted = found = false = 0
    for seed in range(SEEDS):
        chance = random.Random(f"{seed} {share} {kind}")
        copies = [edited(text, vocabulary, chance, share=share, kind=kind) for text in texts]
        clusters = find_clusters([*texts, *copies, *share_boilerplate(texts, labels, chance)], JACCARD).clusters
        planted += len(texts)
        found += sum(clusters[index] == clusters[index + len(texts)] for index in range(len(texts)))
        groups: dict[int, set[int]] = defaultdict(set)
        for index, cluster in enumerate(clusters):
            groups[cluster].add(index % len(texts) if index < 2 * len(texts) else index)
        false += sum(len(group) - 1 for group in groups.values())
    recall, precision = found / planted, found / max(1, found + false)
    return {
        "changed_share": share,
        "kind": kind,
        "planted": planted,
        "found": found,
        "hard_negatives": planted,
        "wrongly_joined": false,
        "recall": round(recall, 5),
        "precision": round(precision, 5),
        "meets_target": recall >= TARGET and precision >= TARGET,
    }


def main() -> None:
    """Print a line a case and write `benchmarks/results/near_duplicates.json`."""
    lines = []
    for name, source in (("resumes", "resumes"), ("study", str(STUDY))):
        if source != "resumes" and not STUDY.exists():
            print(f"{name}: left out, no file {STUDY}")
            continue
        texts, labels = different_texts(source)
        for share in CHANGED_SHARES:
            for kind in KINDS:
                line = {"source": name, "texts": len(texts), **measure(texts, labels, share=share, kind=kind)}
                lines.append(line)
                print("  ".join(f"{key} {value}" for key, value in line.items()), flush=True)
    write_json(
        HERE / "results" / "near_duplicates.json",
        {"jaccard": JACCARD, "target": TARGET, "seeds": SEEDS, "lines": lines},
    )
    print(f"{sum(line['meets_target'] for line in lines)} of {len(lines)} lines meet the target")


if __name__ == "__main__":
    main()
