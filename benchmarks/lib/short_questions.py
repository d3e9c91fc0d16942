"""Short questions to a bank, written for the benchmark of near-copies: many intents differ in one word."""

import random
from itertools import product
from string import Formatter

ITEMS = (
    "card",
    "phone",
    "order",
    "subscription",
    "transfer",
    "passport",
    "account",
    "ticket",
    "parcel",
    "voucher",
    "bag",
)
TIMES = ("yesterday", "last week", "on Monday", "in the morning", "two days ago", "at the airport")
PLACES = ("France", "Poland", "Berlin", "Japan", "my country", "the shop")
FILLINGS = {"item": ITEMS, "time": TIMES, "place": PLACES}
INTENTS = {
    "refund": (
        "What do I need to do for a refund?",
        "How do I get a refund for my {item}?",
        "Can I have my money back for the {item}?",
        "My {item} has not been refunded yet",
        "When will the refund for my {item} arrive?",
    ),
    "pin": (
        "What do I need to do for a PIN?",
        "How do I get a PIN for my {item}?",
        "I forgot the PIN of my {item}",
        "When will the PIN for my {item} arrive?",
    ),
    "stolen": (
        "My {item} was stolen",
        "Someone stole my {item} {time}",
        "I think that my {item} got stolen {time}",
        "What do I do if my {item} is stolen?",
    ),
    "lost": (
        "My {item} was lost",
        "I lost my {item} {time}",
        "I think that my {item} got lost {time}",
        "What do I do if my {item} is lost?",
    ),
    "cancel": (
        "I want to cancel my {item}",
        "Can you cancel the {item} that I ordered {time}?",
        "How do I cancel my {item}?",
    ),
    "exchange": (
        "I want to exchange my {item}",
        "Can you exchange the {item} that I ordered {time}?",
        "How do I exchange my {item}?",
    ),
    "arrival": (
        "When will my {item} arrive?",
        "My {item} has still not arrived",
        "How long does the {item} take to arrive in {place}?",
        "Where is the {item} that I ordered {time}?",
    ),
    "fee": (
        "Why was I charged a fee for the {item}?",
        "What is the fee for the {item} in {place}?",
        "There is an extra fee for my {item} from {time}",
    ),
    "rate": (
        "What is the exchange rate in {place}?",
        "The exchange rate for my {item} was wrong {time}",
        "Which exchange rate do you use in {place}?",
    ),
    "limit": (
        "What is the limit for the {item} in {place}?",
        "Why was there a limit for the {item}?",
        "I want to raise the limit of my {item}",
    ),
}


def questions() -> tuple[list[str], list[str]]:
    """Return all different questions and the intent of each, in a random order that is always the same."""
    found = []
    for intent, templates in INTENTS.items():
        for template in templates:
            names = [name for _, name, _, _ in Formatter().parse(template) if name]
            for chosen in product(*(FILLINGS[name] for name in names)):
                found.append((template.format(**dict(zip(names, chosen, strict=True))), intent))
    random.Random(0).shuffle(found)
    return [text for text, _ in found], [intent for _, intent in found]


THAI = (
    (
        "\u0e09\u0e31\u0e19\u0e15\u0e49\u0e2d\u0e07\u0e01\u0e32\u0e23\u0e22\u0e01\u0e40\u0e25\u0e34\u0e01"
        "{}\u0e17\u0e35\u0e48\u0e2a\u0e31\u0e48\u0e07\u0e40\u0e21\u0e37\u0e48\u0e2d\u0e27\u0e32\u0e19"
        "\u0e19\u0e35\u0e49",
        "\u0e09\u0e31\u0e19\u0e08\u0e30\u0e02\u0e2d{}\u0e43\u0e2b\u0e21\u0e48\u0e44\u0e14\u0e49\u0e2d"
        "\u0e22\u0e48\u0e32\u0e07\u0e44\u0e23",
        "{}\u0e02\u0e2d\u0e07\u0e09\u0e31\u0e19\u0e16\u0e39\u0e01\u0e02\u0e42\u0e21\u0e22\u0e17\u0e35"
        "\u0e48\u0e2a\u0e16\u0e32\u0e19\u0e35\u0e23\u0e16\u0e44\u0e1f",
        "\u0e17\u0e33\u0e44\u0e21{}\u0e02\u0e2d\u0e07\u0e09\u0e31\u0e19\u0e22\u0e31\u0e07\u0e44\u0e21"
        "\u0e48\u0e21\u0e32\u0e16\u0e36\u0e07",
    ),
    (
        "\u0e1a\u0e31\u0e15\u0e23",
        "\u0e42\u0e17\u0e23\u0e28\u0e31\u0e1e\u0e17\u0e4c",
        "\u0e01\u0e23\u0e30\u0e40\u0e1b\u0e4b\u0e32",
        "\u0e1a\u0e31\u0e0d\u0e0a\u0e35",
        "\u0e1e\u0e31\u0e2a\u0e14\u0e38",
        "\u0e15\u0e31\u0e4b\u0e27",
        "\u0e19\u0e32\u0e2c\u0e34\u0e01\u0e32",
    ),
    "\u0e04\u0e23\u0e31\u0e1a",
)
"""Sentences (I want to cancel ...; how do I get a new ...; my ... was stolen at the station; why has my ... not come),
things that fill in (card, phone, bag, account, parcel, ticket, watch), and a polite word at the end."""
KHMER = (
    (
        "\u1781\u17d2\u1789\u17bb\u17c6\u1785\u1784\u17cb\u1794\u17c4\u17c7\u1794\u1784\u17cb{}\u178a"
        "\u17c2\u179b\u1781\u17d2\u1789\u17bb\u17c6\u1794\u17b6\u1793\u1791\u17b7\u1789\u1798\u17d2\u179f"
        "\u17b7\u179b\u1798\u17b7\u1789",
        "\u178f\u17be\u1781\u17d2\u1789\u17bb\u17c6\u17a2\u17b6\u1785\u1791\u1791\u17bd\u179b\u1794\u17b6"
        "\u1793{}\u1790\u17d2\u1798\u17b8\u178a\u17c4\u1799\u179a\u1794\u17c0\u1794\u178e\u17b6",
        "{}\u179a\u1794\u179f\u17cb\u1781\u17d2\u1789\u17bb\u17c6\u178f\u17d2\u179a\u17bc\u179c\u1794"
        "\u17b6\u1793\u1782\u17c1\u179b\u17bd\u1785\u1793\u17c5\u1795\u17d2\u179f\u17b6\u179a",
    ),
    (
        "\u1780\u17b6\u178f",
        "\u1791\u17bc\u179a\u179f\u17d0\u1796\u17d2\u1791",
        "\u1780\u17b6\u1794\u17bc\u1794",
        "\u1782\u178e\u1793\u17b8",
        "\u179f\u17c6\u1794\u17bb\u178f\u17d2\u179a",
        "\u1793\u17b6\u17a1\u17b7\u1780\u17b6",
    ),
    "\u1794\u17b6\u1791",
)
"""The same in Khmer: three sentences, things (card, phone, bag, account, ticket, watch), and a polite word."""


def unspaced(language: tuple[tuple[str, ...], tuple[str, ...], str]) -> list[str]:
    """Return all sentences of a language with all things filled in."""
    sentences, things, _ = language
    return [sentence.format(thing) for sentence, thing in product(sentences, things)]
