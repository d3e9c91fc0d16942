"""Labelled texts for which the best method is known, written by a small grammar; no text comes twice.

`itineraries`: which of two cities a journey reaches first. Every text names both, so that a bag of words cannot tell
them apart, and a mean over tokens hardly can: full fine-tuning must beat TF-IDF and frozen embeddings. `custody`: which
of two people holds a thing after one of them handed it on. A few words tell, so that every method must get all rows
right. `requests`: short questions to a bank, an action on a thing. With a handful of rows a label, frozen embeddings
must not lose to training all weights.
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
_MEANWHILE = [
    "{a} and {b} had lunch", "{b} wrote to {a}", "{a} was ill", "{b} moved house", "{a} asked {b} about the weather",
    "the neighbours of {b} were away", "{a} and {b} met at the market",
]  # fmt: skip
_WHEN = ["On Monday", "In the spring", "After work", "Last week", "Before the holidays", "At noon", "That evening"]

_CITIES = ["Lisbon", "Vienna", "Prague", "Athens", "Berlin", "Madrid", "Dublin", "Oslo"]
_DEPARTURES = ["The tour begins in", "This time we start in", "They set out from", "The train leaves"]
_STAYS = ["for a day", "for two nights", "over the weekend", "for lunch", "to see a friend", "for a concert"]
_OTHER_STOPS = 4

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


def itineraries(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return (text, label) with labels `Rome first` and `Paris first`; neither is the first or the last stop."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < rows:
        first, *others, last = chance.sample(_CITIES, _OTHER_STOPS)
        stops = [*others, "Rome", "Paris"]
        chance.shuffle(stops)
        way = ", to ".join(f"{city} {chance.choice(_STAYS)}" for city in stops)
        text = f"{chance.choice(_DEPARTURES)} {first}, goes to {way}, and ends in {last}."
        found[text] = "Rome first" if stops.index("Rome") < stops.index("Paris") else "Paris first"
    return list(found.items())


def custody(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return (text, label) with labels `first` and `second`: which of two people, as mentioned, has the thing."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < rows:
        people, thing = chance.sample(_PEOPLE, 2), chance.choice(_THINGS)
        giver, taker = chance.sample(people, 2)
        hands_on = chance.choice(_HANDS_ON).format(a=giver, b=taker, thing=thing)
        meanwhile = chance.choice(_MEANWHILE).format(a=people[0], b=people[1])
        events = [f"{chance.choice(_WHEN)} {hands_on}", f"{chance.choice(_WHEN)} {meanwhile}"]
        text = ". ".join(events) + "."
        mentioned = sorted(people, key=text.index)
        found[text] = "first" if mentioned[0] == taker else "second"
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
