"""Figures of the built-in notes, and how many answers one gets right without reading: by constants and by simple rules.

python -m benchmarks.statistics.notes_figures --out benchmarks/results
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping
from importlib import resources

from benchmarks.lib.result import argument_parser, write_result
from showdown.data.duplicates import find_duplicate_groups

NEAR_COPY = 0.8
"""Lowest Jaccard similarity of near-copies, the default of the audit."""
RANGES = ((1, 1), (2, 9), (10, 49), (50, 99), (100, 500))
NUMBER = re.compile(r"\d+")
DAY = re.compile(r"\b(mon|tue|wed|thu|fri|sat|sun)(?:day|s|sday|nesday|r|rs|rsday|urday)?\b", re.IGNORECASE)
URGENT = re.compile(r"urgent|asap|rush|hurry|emergency|immediate|cannot wait|priority|express", re.IGNORECASE)
CAPITALS = re.compile(r"[A-Z][\w'&]*(?: (?:& )?[A-Z][\w'&]*)+")
"""Two words or more that begin with a capital."""

Answer = dict[str, str | int | bool | None]


def read_notes() -> list[tuple[str, Answer]]:
    """Return note and answer of every row of the shipped file."""
    text = (resources.files("showdown") / "datasets" / "notes.csv").read_text(encoding="utf-8")
    return [(row["note"], json.loads(row["answer"])) for row in csv.DictReader(text.splitlines())]


def by_rules(note: str) -> Answer:
    """Return what simple rules find in a note; the item, for which there is none, is empty."""
    numbers = [int(number) for number in NUMBER.findall(note) if int(number) <= 500]
    days = DAY.findall(note)
    name = CAPITALS.search(note)
    return {
        "customer": name.group().removeprefix("The ") if name else "",
        "item": "",
        "quantity": numbers[0] if numbers else 1,
        "day": days[-1].capitalize() if days else None,
        "urgent": bool(URGENT.search(note)),
    }


def shares(answers: list[Answer], guesses: list[Answer]) -> dict[str, float]:
    """Return the share of right values for each key, of answers right but for the item, and as a whole: 0 to 1."""
    pairs = list(zip(answers, guesses, strict=True))
    found = {key: sum(answer[key] == guess[key] for answer, guess in pairs) / len(answers) for key in answers[0]}
    found["all_but_item"] = sum(answer == guess | {"item": answer["item"]} for answer, guess in pairs) / len(answers)
    found["whole"] = sum(answer == guess for answer, guess in pairs) / len(answers)
    return found


def show(name: str, values: Mapping[str, float]) -> None:
    """Print a line of percentages."""
    print(f"{name:<22}", ", ".join(f"{key} {100 * value:.1f} %" for key, value in values.items()))


def count(different: list[tuple[str, Answer]]) -> dict[str, float]:
    """Count what the data card tells of the different notes; words are a note's, all else is a number of notes."""
    notes, answers = [note for note, _ in different], [answer for _, answer in different]
    words = [len(note.split()) for note in notes]
    quantities = [int(str(answer["quantity"])) for answer in answers]
    written = [str(quantity) in NUMBER.findall(note) for note, quantity in zip(notes, quantities, strict=True)]
    ranges = {f"quantity_{low}_to_{high}": sum(low <= number <= high for number in quantities) for low, high in RANGES}
    return {
        "different": len(different),
        "words_least": min(words),
        "words_most": max(words),
        "words_mean": round(sum(words) / len(words), 1),
        "customers": len({str(answer["customer"]).lower() for answer in answers}),
        "items": len({answer["item"] for answer in answers}),
        "quantities": len(set(quantities)),
        "without_day": sum(answer["day"] is None for answer in answers),
        "several_days": sum(len({day.lower() for day in DAY.findall(note)}) > 1 for note in notes),
        "urgent": sum(bool(answer["urgent"]) for answer in answers),
        "quantity_only_in_words": sum(
            number > 1 and not digits for number, digits in zip(quantities, written, strict=True)
        ),
        **ranges,
    }


def main() -> None:
    """Count, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    rows = read_notes()
    copies = find_duplicate_groups([note for note, _ in rows], NEAR_COPY)
    first = {group: row for row, group in reversed(list(enumerate(copies.duplicate_groups)))}
    different = [rows[row] for row in sorted(first.values())]
    repeated = {"exact_copies": copies.exact_copies, "near_copies": copies.near_copies}
    counts = {"rows": len(rows)} | repeated | count(different)
    for name, value in counts.items():
        print(f"{name:<22} {value}")
    notes, answers = [note for note, _ in different], [answer for _, answer in different]
    constant = {key: Counter(answer[key] for answer in answers).most_common(1)[0][0] for key in answers[0]}
    by_constant, by_rule = (
        shares(answers, [constant] * len(answers)),
        shares(answers, [by_rules(note) for note in notes]),
    )
    show("most common values", by_constant)
    show("simple rules", by_rule)
    write_result(options, {"counts": counts, "most_common_values": by_constant, "simple_rules": by_rule})


if __name__ == "__main__":
    main()
