"""Are planted near-copies found, and nothing else?

    python -m benchmarks.statistics.near_duplicates --out benchmarks/results    # all parts, about two minutes
    python -m benchmarks.statistics.near_duplicates questions                   # one part

`edits`: every different text of the built-in resumes and of the study's gets a copy with words changed; every text also
gets a hard negative: a text of which the first half is boilerplate that all negatives of its label share, the second
half its own. A text shorter than ten words keeps one change. `disguises`: copies of the resumes that are cut, or look
different without a changed word. `questions`: short questions, of which many differ in one word that carries the
meaning (`benchmarks/lib/short_questions.py`), each with a copy that says the same. `unspaced`: the same in Thai and
Khmer. `forms`: rows of a template, filled-in forms, letters with one signature, all of them negatives.

Recall: the share of planted copies in one duplicate group with their original. Precision: the share of texts joined to
another that belong there. The threshold is the product's default, chosen before the first run; no labels are given.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.short_questions import KHMER, THAI, questions, unspaced
from benchmarks.lib.texts import JACCARD, STUDY, different_texts
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.function_words import FUNCTION_WORDS

CHANGED_SHARES = (0.02, 0.05, 0.10)
KINDS = ("replace", "insert", "delete", "mixed")
SEEDS = 5
TARGET = 0.99

Line = dict[str, Any]
Copy = Callable[[str, random.Random], str | None]
"""Makes a copy of a text; None where this text cannot have one of the kind."""


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


def measure(
    texts: Sequence[str], copy: Copy, *, chance: str, negatives: Callable[..., list[str]] | None = None
) -> Line:
    """Plant a copy of each text and look, once a seed; the texts themselves are negatives of each other."""
    planted = found = hard = false = 0
    for seed in range(SEEDS):
        draws = random.Random(f"{seed} {chance}")
        copies = [(index, made) for index, text in enumerate(texts) if (made := copy(text, draws)) is not None]
        more = negatives(draws) if negatives else []
        origin = [*range(len(texts)), *(index for index, _ in copies), *range(-len(more), 0)]
        clusters = find_duplicate_groups([*texts, *(made for _, made in copies), *more], JACCARD).duplicate_groups
        planted, hard = planted + len(copies), hard + len(more)
        found += sum(clusters[index] == clusters[len(texts) + place] for place, (index, _) in enumerate(copies))
        groups: dict[int, set[int]] = defaultdict(set)
        for cluster, source in zip(clusters, origin, strict=True):
            groups[cluster].add(source)
        false += sum(len(group) - 1 for group in groups.values())
    recall, precision = found / max(1, planted), found / max(1, found + false)
    return {
        "texts": len(texts),
        "planted": planted,
        "found": found,
        "hard_negatives": hard,
        "wrongly_joined": false,
        "recall": round(recall, 5),
        "precision": round(precision, 5),
        "meets_target": recall >= TARGET and precision >= TARGET,
    }


def edits() -> Iterator[Line]:
    """Words of long texts changed."""
    for name, source in (("resumes", "resumes"), ("study", str(STUDY))):
        if source != "resumes" and not STUDY.exists():
            print(f"{name}: left out, no file {STUDY}")
            continue
        texts, labels = different_texts(source)
        for share in CHANGED_SHARES:
            for kind in KINDS:
                yield {"source": name, "changed_share": share, "kind": kind, **_edits(texts, labels, share, kind)}


def _edits(texts: Sequence[str], labels: Sequence[str], share: float, kind: str) -> Line:
    vocabulary = " ".join(texts).split()
    return measure(
        texts,
        lambda text, draws: edited(text, vocabulary, draws, share=share, kind=kind),
        chance=f"{share} {kind}",
        negatives=lambda draws: share_boilerplate(texts, labels, draws),
    )


def inside_words(text: str, draws: random.Random, mark: str) -> str:
    """Put a mark into one in ten words, at least one."""
    words = text.split()
    for place in draws.sample(range(len(words)), max(1, len(words) // 10)):
        middle = len(words[place]) // 2
        words[place] = words[place][:middle] + mark + words[place][middle:]
    return " ".join(words)


def hyphened(text: str, draws: random.Random) -> str | None:
    """Join two neighbouring words with a hyphen, one pair in ten words."""
    words = text.split()
    if len(words) < 2:
        return None
    for place in sorted(draws.sample(range(len(words) - 1), max(1, len(words) // 10)), reverse=True):
        words[place : place + 2] = [f"{words[place]}-{words[place + 1]}"]
    return " ".join(words)


def cut(text: str, draws: random.Random) -> str | None:
    """Keep the first 55 to 90 % of the characters of a text of 20 words or more."""
    return text[: round(draws.uniform(0.55, 0.9) * len(text))] if len(text.split()) >= 20 else None


EMOJI = "\U0001f389\U0001f600\u2764"
DISGUISES: dict[str, Copy] = {
    "cut": cut,
    "zero-width spaces": lambda text, draws: inside_words(text, draws, "\u200b"),
    "soft hyphens": lambda text, draws: inside_words(text, draws, "\u00ad"),
    "hyphens for spaces": hyphened,
    "an emoji": lambda text, draws: f"{text} {draws.choice(EMOJI)}",
    "upper case, no punctuation": lambda text, _: "".join(mark for mark in text.upper() if mark not in ".,!?;:'"),
}
ACCENTS = str.maketrans("aeiouAEIOU", "\u00e1\u00e9\u00ed\u00f3\u00fa\u00c1\u00c9\u00cd\u00d3\u00da")
PLAIN = str.maketrans("\u00e1\u00e9\u00ed\u00f3\u00fa\u00c1\u00c9\u00cd\u00d3\u00da", "aeiouAEIOU")


def disguises() -> Iterator[Line]:
    """Long texts that were cut or look different."""
    texts, _ = different_texts("resumes")
    for kind, copy in DISGUISES.items():
        yield {"source": "resumes", "kind": kind, **measure(texts, copy, chance=kind)}
    accented = [text.translate(ACCENTS) for text in texts]
    found = measure(accented, lambda text, _: text.translate(PLAIN), chance="accents")
    yield {"source": "resumes", "kind": "accents dropped", **found}


def function_word(text: str, draws: random.Random) -> str | None:
    """Replace, add or drop one function word."""
    words = text.split()
    places = [place for place, word in enumerate(words) if word.casefold() in FUNCTION_WORDS]
    if not places or len(words) < 4:
        return None
    place, done = draws.choice(places), draws.choice(KINDS[:3])
    other = draws.choice(("the", "my", "that", "please", "our", "just"))
    words[place : place + 1] = {"replace": [other], "insert": [other, words[place]], "delete": []}[done]
    return " ".join(words)


def misspelt(text: str, draws: random.Random) -> str | None:
    """Add, drop, replace or swap a letter of a word of five letters or more, its first letter left as it is."""
    words = text.rstrip("?").split()
    places = [place for place, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if not places or len(words) < 4:
        return None
    place = draws.choice(places)
    word, at = words[place], draws.randrange(1, len(words[place]) - 1)
    letter = draws.choice("qxzvw")
    words[place] = draws.choice(
        (
            word[:at] + letter + word[at:],
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )
    return " ".join(words)


def inflected(text: str, draws: random.Random) -> str | None:
    """Put a noun into the plural."""
    words = text.rstrip("?").split()
    places = [place for place, word in enumerate(words) if word in ("card", "phone", "order", "ticket", "bag", "fee")]
    if not places or len(words) < 4:
        return None
    words[draws.choice(places)] += "s"
    return " ".join(words)


def short_questions() -> Iterator[Line]:
    """Short questions that say the same."""
    texts, _ = questions()
    kinds: dict[str, Copy] = {
        "a function word": function_word,
        "a misspelt word": misspelt,
        "a plural": inflected,
        **{kind: copy for kind, copy in DISGUISES.items() if kind != "cut"},
    }
    for kind, copy in kinds.items():
        yield {"source": "questions", "kind": kind, **measure(texts, copy, chance=kind)}


def without_spaces() -> Iterator[Line]:
    """Sentences in Thai and Khmer that say the same; others differ in one word."""
    for name, language in (("Thai", THAI), ("Khmer", KHMER)):
        texts = unspaced(language)

        def spaced(text: str, draws: random.Random) -> str:
            place = draws.randrange(4, len(text) - 4)
            return f"{text[:place]} {text[place:]}"

        def polite(text: str, _: random.Random, word: str = language[2]) -> str:
            return text + word

        for kind, copy in {"a space": spaced, "a polite word": polite, "an emoji": DISGUISES["an emoji"]}.items():
            yield {"source": name, "kind": kind, **measure(texts, copy, chance=f"{name} {kind}")}


def form_rows(chance: random.Random) -> dict[str, list[str]]:
    """Sets of different texts that share most of their words."""

    def some(word: str, size: int, count: int) -> str:
        return " ".join(f"{word}{chance.randrange(size)}" for _ in range(count))

    frame = " ".join(f"frame{place}" for place in range(14))
    form = " ".join(f"field{place} {{}}" for place in range(40))
    signature = " ".join(f"signature{place}" for place in range(90))
    return {
        "a template of four intents": [
            f"{frame} {some('thing', 12, 1)} {frame} {chance.choice(('refund', 'cancel', 'track', 'exchange'))} "
            f"{some('name', 60, 1)}"
            for _ in range(400)
        ],
        "forms with five fillings": [
            form.format(*(some("value", 400, 1) if place % 8 == 0 else "none" for place in range(40)))
            for _ in range(1_000)
        ],
        "letters of eight words with a long signature": [f"{some('word', 2_000, 8)} {signature}" for _ in range(3_000)],
    }


def forms() -> Iterator[Line]:
    """Negatives alone: how many of the different texts are joined to another."""
    for kind, rows in form_rows(random.Random(0)).items():
        different = len(set(rows))
        clusters = len(set(find_duplicate_groups(rows, JACCARD).duplicate_groups))
        joined = different - clusters
        yield {
            "source": "forms",
            "kind": kind,
            "texts": different,
            "wrongly_joined": joined,
            "share_joined": round(joined / different, 5),
            "meets_target": joined <= (1 - TARGET) * different,
        }


PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "edits": edits,
    "disguises": disguises,
    "questions": short_questions,
    "unspaced": without_spaces,
    "forms": forms,
}


def main() -> None:
    """Measure every case, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="by default all")
    options = parser.parse_args()
    lines = []
    for name in [options.part] if options.part else PARTS:
        for line in PARTS[name]():
            lines.append(line)
            print("  ".join(f"{key} {value}" for key, value in line.items()), flush=True)
    found = {"jaccard": JACCARD, "target": TARGET, "seeds": SEEDS, "lines": lines}
    write_result(options, found, variant=options.part)
    print(f"{sum(line['meets_target'] for line in lines)} of {len(lines)} lines meet the target")


if __name__ == "__main__":
    main()
