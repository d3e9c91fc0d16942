"""What counts as a near-copy: what a person would call the same text, and not a text that asks something else."""

import random

import pytest

from showdown.core.spec import DataSpec
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.wording import words

JACCARD = DataSpec().near_duplicate_jaccard
ZERO_WIDTH, SOFT_HYPHEN = "\u200b", "\u00ad"
LONG = (
    "I joined the harbour office in spring and kept the berth plan for nine years, first on paper and then in a tool"
    " that two of us wrote; ships came late, cranes broke, and my task was to say who waits and who goes first"
)
THAI = (
    "\u0e1a\u0e31\u0e15\u0e23\u0e02\u0e2d\u0e07\u0e09\u0e31\u0e19\u0e16\u0e39\u0e01\u0e02\u0e42\u0e21\u0e22"
    "\u0e40\u0e21\u0e37\u0e48\u0e2d\u0e27\u0e32\u0e19\u0e19\u0e35\u0e49\u0e43\u0e19\u0e15\u0e25\u0e32\u0e14"
)
"""My card was stolen yesterday in the market."""
THAI_POLITE = THAI + "\u0e04\u0e23\u0e31\u0e1a"
THAI_SPACED = THAI[:18] + " " + THAI[18:]
THAI_PHONE = (
    "\u0e42\u0e17\u0e23\u0e28\u0e31\u0e1e\u0e17\u0e4c" + THAI[4:18] + "\u0e15\u0e2d\u0e19\u0e40\u0e0a\u0e49\u0e32"
)
"""My phone was stolen in the morning."""
KHMER = (
    "\u1780\u17b6\u178f\u179a\u1794\u179f\u17cb\u1781\u17d2\u1789\u17bb\u17c6\u178f\u17d2\u179a\u17bc\u179c"
    "\u1794\u17b6\u1793\u1782\u17c1\u179b\u17bd\u1785\u1796\u17b8\u1798\u17d2\u179f\u17b7\u179b\u1798\u17b7"
    "\u1789\u1793\u17c5\u1795\u17d2\u179f\u17b6\u179a"
)
KHMER_POLITE = KHMER + "\u1794\u17b6\u1791"
KHMER_OTHER = (
    "\u1781\u17d2\u1789\u17bb\u17c6\u1785\u1784\u17cb\u178a\u17bc\u179a\u179b\u17c1\u1781\u179f\u1798\u17d2"
    "\u1784\u17b6\u178f\u17cb\u1790\u17d2\u1798\u17b8"
)
"""I want to change to a new secret number."""


def together(*texts: str) -> bool:
    return len(set(find_duplicate_groups(texts, JACCARD).duplicate_groups)) == 1


DIFFERENT = [
    ("What do I need to do for a refund?", "What do I need to do for a PIN?"),
    ("My card was stolen", "My phone was stolen"),
    ("I want to cancel my order", "I want to cancel my subscription"),
    ("Why can I not withdraw money from the machine", "Why can I withdraw money from the machine"),
    ("I can pay with this card", "I can't pay with this card"),
    ("I want a transfer to my savings account", "I want a transfer from my savings account"),
    ("Where is my new card", "When is my new card"),
    ("Please contact the bank about it", "Please contract the bank about it and more"),
    ("good film", "bad film"),
    ("the service was great \U0001f44d", "the service was great \U0001f44e"),
    ("the service was great :)", "the service was great :("),
    ("I was born in 1984 in this town", "I was born in 1985 in this town"),
    ("\u6211\u7684\u5361\u88ab\u5077\u4e86", "\u6211\u7684\u624b\u673a\u88ab\u5077\u4e86"),
    (
        "\u6211\u60f3\u53d6\u6d88\u6211\u7684\u8ba2\u5355\u8bf7\u5e2e\u6211\u5904\u7406",
        "\u6211\u60f3\u53d6\u6d88\u6211\u7684\u8ba2\u9605\u8bf7\u5e2e\u6211\u5904\u7406",
    ),
    (THAI, THAI_PHONE),
    (THAI, THAI + "\u0e44\u0e21\u0e48\u0e44\u0e14\u0e49"),
    (KHMER, KHMER_OTHER),
    ("dog bites man in the park", "man bites dog in the park"),
    ("What is the exchange rate", "What is the exchange rate and how do I pay the fee for it abroad"),
]


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_a_word_that_carries_the_meaning_makes_another_text(first: str, second: str) -> None:
    assert not together(first, second)
    assert not together(first.upper(), second)


ALIKE = {
    "a stop word of eight words": ("How can I get my money back from them", "How can I get the money back from them"),
    "a stop word more": ("The parcel arrived late and was wet", "The parcel has arrived late and was wet"),
    "a polite word more": ("Cancel the order of last Monday", "Please cancel the order of last Monday"),
    "a misspelt word": ("How do I activate my new credit card", "How do I activate my new creidt card"),
    "an inflected word": ("The machine rejects my card every time", "The machine rejected my card every time"),
    "the plural": ("Which currency can I hold", "Which currencies can I hold"),
    "a contraction": ("I do not see my transfer from Monday", "I don't see my transfer from Monday"),
    "a contraction without its apostrophe": ("I do not see my transfer today", "I dont see my transfer today"),
    "punctuation and case": ("where is my card, please", "Where is my card please?!"),
    "one of eight rare words": (
        "quiet harbours lend seven grey herons winter shelter",
        "quiet harbours lend seven grey herons autumn shelter",
    ),
    "an emoji": ("Free entry in a weekly draw to win tickets", "Free entry in a weekly draw to win tickets \U0001f389"),
    "an emoji inside": ("Call me when you are home tonight", "Call me\U0001f60a\ufe0f when you are home tonight"),
    "an emoticon": ("Call me when you are home tonight", "Call me when you are home tonight :-)"),
    "a long text cut": (LONG, " ".join(LONG.split()[:24])),
    "a long text cut within a word": (LONG, LONG[:120]),
    "a long text cut with dots": (LONG, LONG[:130].rstrip() + "..."),
    "a long text without its beginning": (LONG, " ".join(LONG.split()[18:])),
    "accents dropped": ("Quiero pagar el caf\u00e9 ma\u00f1ana", "Quiero pagar el cafe manana"),
    "Arabic vowel signs dropped": (
        "\u0643\u064e\u062a\u064e\u0628\u064e \u0637\u0627\u0644\u0628",
        "\u0643\u062a\u0628 \u0637\u0627\u0644\u0628",
    ),
    "zero-width spaces": ("win a prize today", f"w{ZERO_WIDTH}in a pri{ZERO_WIDTH}ze today"),
    "soft hyphens": ("the delivery company lost it", f"the deliv{SOFT_HYPHEN}ery com{SOFT_HYPHEN}pany lost it"),
    "hyphens for spaces": ("a follow up call on the top up fee", "a follow-up call on the top-up fee"),
    "Thai with a polite particle": (THAI, THAI_POLITE),
    "Thai with a space": (THAI, THAI_SPACED),
    "short Thai with a polite particle": (
        "\u0e09\u0e31\u0e19\u0e17\u0e33\u0e1a\u0e31\u0e15\u0e23\u0e2b\u0e32\u0e22",
        "\u0e09\u0e31\u0e19\u0e17\u0e33\u0e1a\u0e31\u0e15\u0e23\u0e2b\u0e32\u0e22\u0e04\u0e23\u0e31\u0e1a",
    ),
    "Khmer with a polite particle": (KHMER, KHMER_POLITE),
    "Khmer with zero-width spaces": (KHMER, KHMER[:7] + ZERO_WIDTH + KHMER[7:]),
    "Chinese with another end": (
        "\u6211\u4eec\u5728\u5317\u4eac\u5de5\u4f5c\u4e86\u4e94\u5e74\u8d1f\u8d23\u5168\u90e8\u5ba2\u6237\u7684\u6570\u636e",
        "\u6211\u4eec\u5728\u5317\u4eac\u5de5\u4f5c\u4e86\u4e94\u5e74\u8d1f\u8d23\u5168\u90e8\u5ba2\u6237\u7684\u6570\u5e93",
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE.keys())
def test_a_change_that_carries_no_meaning_leaves_a_near_copy(pair: tuple[str, str]) -> None:
    assert together(*pair)


def test_invisible_characters_make_exact_copies_and_do_not_touch_the_text() -> None:
    assert find_duplicate_groups(["win it", f"w{ZERO_WIDTH}in{SOFT_HYPHEN} it"], JACCARD).exact == (0, 0)


def test_a_high_threshold_leaves_texts_of_the_same_words_alone() -> None:
    for first, second in (ALIKE["a stop word of eight words"], ALIKE["a misspelt word"], ALIKE["a long text cut"]):
        assert find_duplicate_groups([first, second], 0.99).duplicate_groups == (0, 1)
    assert find_duplicate_groups(ALIKE["punctuation and case"], 0.99).duplicate_groups == (0, 0)


def test_words_of_a_hyphenated_text_are_those_of_the_spaced_one() -> None:
    assert words("top-up fee, please") == ["top", "up", "fee", "please"]


def test_a_word_that_is_filled_in_makes_another_text_however_long_the_rest() -> None:
    things = ("card", "phone", "parcel", "watch", "bag")
    texts = [f"Someone in Berlin says there was an extra fee on my {thing} two days ago" for thing in things]
    assert len(set(find_duplicate_groups(texts, JACCARD).duplicate_groups)) == len(things)


def test_two_words_that_stand_for_each_other_again_and_again_carry_the_meaning() -> None:
    things = ("card", "phone", "parcel", "watch", "bag")
    texts = [f"I think that my {thing} got {what} two days ago" for thing in things for what in ("lost", "stolen")]
    assert len(set(find_duplicate_groups(texts, JACCARD).duplicate_groups)) == len(texts)


def test_fillings_of_which_one_begins_the_other_are_different() -> None:
    frame = "I would like to know when it is that I can see"
    assert not together(f"{frame} name5", f"{frame} name56")


FRAME = (
    "Dear team, I hope that this message finds you well. I bought the {} from your shop in {} and would now like to {}"
    " it as soon as you can. My name is {}. Kind regards, and thank you for your help."
)
DEEDS = ("refund", "exchange", "cancel", "track")


def template_rows(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of one frame; the deed alone makes the label."""
    chance = random.Random(seed)
    things, towns, names = (
        [f"{kind}{number}" for number in range(size)] for kind, size in (("thing", 12), ("town", 9), ("name", 40))
    )
    labels = [chance.choice(DEEDS) for _ in range(count)]
    rows = [FRAME.format(chance.choice(things), chance.choice(towns), deed, chance.choice(names)) for deed in labels]
    return rows, labels


def test_rows_of_one_template_are_different_texts() -> None:
    texts, labels = template_rows(150)
    different = len(set(texts))
    assert len(set(find_duplicate_groups(texts, JACCARD, labels).duplicate_groups)) >= 0.9 * different
    assert len(set(find_duplicate_groups(texts, JACCARD).duplicate_groups)) >= 0.9 * different


def test_a_copy_within_a_template_is_found() -> None:
    chance = random.Random(3)
    own = [[f"w{chance.randrange(4000)}" for _ in range(25)] for _ in range(60)]
    form = " ".join(f"form{number}" for number in range(120))
    texts = [f"{form} {' '.join(part)} {form}" for part in own]
    changed = [*own[7][:12], "changed", *own[7][13:]]
    found = find_duplicate_groups([*texts, f"{form} {' '.join(changed)} {form}"], JACCARD).duplicate_groups
    assert found[7] == found[60]
    assert len(set(found)) == 60


def test_many_edited_copies_of_one_text_stay_together() -> None:
    chance = random.Random(5)
    base = [f"w{number}" for number in range(80)]
    copies = []
    for number in range(30):
        edited = list(base)
        for place in chance.sample(range(80), 4):
            edited[place] = f"new{number}x{place}"
        copies.append(" ".join(edited))
    assert len(set(find_duplicate_groups([" ".join(base), *copies], JACCARD).duplicate_groups)) == 1


def test_a_long_signature_does_not_join_short_letters() -> None:
    chance = random.Random(6)
    signature = " ".join(f"sig{number}" for number in range(100))
    letters = [" ".join(f"v{chance.randrange(300)}" for _ in range(8)) for _ in range(400)]
    found = find_duplicate_groups([f"{letter} {signature}" for letter in letters], JACCARD).duplicate_groups
    assert len(set(found)) >= 398


def test_a_chain_of_small_steps_is_cut_and_the_cuts_are_counted() -> None:
    chance = random.Random(7)
    words_now = [f"w{number}" for number in range(40)]
    chain = [" ".join(words_now)]
    for step in range(200):
        words_now[chance.randrange(40)] = f"step{step}"
        chain.append(" ".join(words_now))
    found = find_duplicate_groups(chain, JACCARD)
    assert 10 <= len(set(found.duplicate_groups)) <= 80
    assert found.cut_pairs > 0


def test_near_copies_with_different_labels_are_not_joined_and_known() -> None:
    base = LONG.split()
    other = " ".join([*base[:10], "eleven", *base[11:]])
    again = " ".join([*base[:20], "twenty", *base[21:]])
    found = find_duplicate_groups([LONG, other, again], JACCARD, ["a", "b", "a"])
    assert found.duplicate_groups == (0, 1, 0)
    assert found.copy_groups == (0, 0, 0)
    exact = find_duplicate_groups([LONG, LONG], JACCARD, ["a", "b"])
    assert exact.duplicate_groups == (0, 0)
