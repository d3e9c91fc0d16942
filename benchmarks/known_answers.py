"""Labelled texts whose best method is known beforehand, written by a small grammar, each text different.

`custody`: who holds a thing at the end of a short story. The label hangs on the order of events, which a bag of words
and a mean over tokens do not keep: with enough rows full fine-tuning must win over frozen embeddings and TF-IDF.
`requests`: short questions to a bank, an action on a thing; the words tell the label. With few rows a label frozen
embeddings must win over training all weights from a few dozen steps, or at least not lose.
"""

import csv
import random
from pathlib import Path

_PEOPLE = ["Anna", "Boris", "Chen", "Dalia", "Emeka", "Farah", "Goran", "Hana", "Ivan", "Jun", "Kofi", "Lena"]
_THINGS = ["bicycle", "camera", "drill", "guitar", "ladder", "laptop", "projector", "tent", "violin", "wheelbarrow"]
_HANDS_ON = [
    "{a} lent the {thing} to {b}", "{a} sold the {thing} to {b}", "{a} passed the {thing} on to {b}",
    "{b} got the {thing} from {a}", "{b} borrowed the {thing} from {a}", "{b} took over the {thing} from {a}",
]  # fmt: skip
_KEEPS = [
    "{a} offered the {thing} to {b}, who refused", "{b} asked {a} for the {thing} in vain",
    "{a} cleaned the {thing} for {b} to look at", "{b} only photographed the {thing} of {a}",
]  # fmt: skip
_WHEN = ["On Monday", "In the spring", "After work", "Last week", "Before the holidays", "At noon", "That evening"]

_ACTIONS = {
    "cancel": ["cancel", "call off", "stop", "get rid of", "end"],
    "delay": ["why is it so slow with", "what takes so long with", "still waiting for", "when will I see"],
    "fee": ["what do you charge for", "is there a fee for", "how much costs", "why was I billed for"],
    "change": ["change", "update", "correct", "edit", "replace the details of"],
    "lost": ["I cannot find", "I lost", "somebody took", "I no longer have"],
    "refused": ["you declined", "it was rejected:", "it does not go through:", "it keeps failing:"],
}
_OBJECTS = {
    "card": ["my card", "the debit card", "my plastic", "the bank card"],
    "transfer": ["my transfer", "the wire I sent", "money to a friend", "a payment abroad"],
    "account": ["my account", "the savings account", "my current account", "the joint account"],
    "loan": ["my loan", "the mortgage", "the car credit", "what I borrowed"],
}
_OPENINGS = [
    "",
    "Hello, ",
    "Hi there, ",
    "Please help: ",
    "Quick question, ",
    "Sorry to bother you, ",
    "Good morning, ",
]
_CLOSINGS = ["", ".", "?", " please", ", thanks", " today", " since yesterday", ", it is urgent", " at your branch"]


def custody(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return (text, label) with labels `first`, `second`, `third`: which of the named people holds the thing."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < rows:
        people = chance.sample(_PEOPLE, 3)
        thing = chance.choice(_THINGS)
        holder, events = people[0], [f"The {thing} belongs to {people[0]}"]
        for _ in range(chance.randint(2, 3)):
            other = chance.choice([one for one in people if one != holder])
            moves = chance.random() < 0.6
            said = chance.choice(_HANDS_ON if moves else _KEEPS).format(a=holder, b=other, thing=thing)
            events.append(f"{chance.choice(_WHEN)} {said}")
            holder = other if moves else holder
        order = list(dict.fromkeys(word.strip(",.") for word in " ".join(events).split() if word.strip(",.") in people))
        found[". ".join(events) + "."] = ["first", "second", "third"][order.index(holder)]
    return list(found.items())


def requests(rows_a_label: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return (text, label) with 24 labels such as `cancel card`."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    for action, verbs in _ACTIONS.items():
        for thing, nouns in _OBJECTS.items():
            texts: set[str] = set()
            while len(texts) < rows_a_label:
                middle = f"{chance.choice(verbs)} {chance.choice(nouns)}"
                texts.add(f"{chance.choice(_OPENINGS)}{middle}{chance.choice(_CLOSINGS)}")
            found |= dict.fromkeys(sorted(texts), f"{action} {thing}")
    return list(found.items())


def write_csv(rows: list[tuple[str, str]], path: Path) -> Path:
    """Write rows with the columns `text` and `label`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path
