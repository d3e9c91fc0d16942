"""A text as copies are compared: its words without what a copy may lose. No text that is trained on is touched."""

import re
import string
import sys
import unicodedata
from dataclasses import dataclass
from typing import Literal

Script = Literal["spaced", "characters", "unspaced"]
"""How a text is written: words between spaces; Han and Kana, where a character is nearly a word; or an alphabet without
spaces between words (Thai, Lao, Khmer, Burmese, Javanese, Tibetan)."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Soft hyphens, zero-width characters, marks of direction, variation selectors, the stroke that lengthens Arabic."""
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]"
)
"""Marks that writers leave out: accents of Latin, Greek and Cyrillic, vowel signs of Hebrew and Arabic. Marks of Indic
and South-East Asian scripts are letters and stay."""
_CHARACTERS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1a20-\u1aaf\ua980-\ua9df\uaa60-\uaa7f"
_LONE = re.compile(f"([{_CHARACTERS}{_UNSPACED}])")
_IS_CHARACTER = re.compile(f"[{_CHARACTERS}]")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_EMOJI = re.compile("[\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff]")
_JOINERS = re.compile(r"[-\u2010-\u2015\u2212_/]")
"""Hyphens, dashes and slashes, which stand for spaces."""
_APOSTROPHES = re.compile("['\u2019\u02bc\u2018`]")
_NOT = re.compile(
    r"\b(?:(ca)n'?t|(wo)n'?t|(can)not|(do|does|did|is|are|was|were|has|have|had|could|would|should|must|need)n'?t)\b"
)
_WHOLE = {"ca": "can", "wo": "will"}
_SHORTENED = re.compile(r"\b(\w+)'(m|re|ve|ll)\b")
_VERBS = {"m": "am", "re": "are", "ve": "have", "ll": "will"}
_AT_ENDS = (
    string.punctuation
    + "\u2018\u2019\u201c\u201d\u2026\u2013\u2014\u2022\u00b7\u00ab\u00bb\u00bf\u00a1\u3001\u3002\u17d4\u0e2f"
)
_EMOTICON = re.compile(r"(?<!\w)(?:[:;=]['^-]?[()\[\]dpo3|*/\\]|<3|[()]['^-]?[:;=])(?!\w)")


@dataclass(frozen=True, slots=True)
class Wording:
    """What of a text is compared."""

    words: tuple[str, ...]
    """Its words; in a script without spaces its characters."""
    symbols: str
    """Its different emoji and emoticons, sorted; empty where it has none."""
    script: Script


def normalise(text: str) -> str:
    """Return the text as exact copies are compared.

    Unicode NFKC, case folded, without invisible characters, one space for any white space.
    """
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.casefold().split())


def words(normalised: str) -> list[str]:
    """Return the words of a normalised text, without accents, punctuation and symbols; hyphens count as spaces.

    In scripts without spaces each character is a word. A text of punctuation and symbols alone has these as its words.
    """
    return list(wording(normalised).words)


def wording(normalised: str) -> Wording:
    """Return what of a normalised text is compared."""
    text, symbols = normalised, set[str]()
    script: Script = "spaced"
    if not text.isascii():
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
        symbols.update(_EMOJI.findall(text))
        text = _EMOJI.sub(" ", text)
        script = _script_of(text)
        text = _LONE.sub(r" \1 ", text)
    symbols.update(_EMOTICON.findall(text))
    found = [
        sys.intern(word)
        for piece in _JOINERS.sub(" ", _without_shortened(text)).split()
        if (word := piece.strip(_AT_ENDS))
    ]
    said = "".join(sorted(symbols))
    if not found:
        return Wording(words=tuple(normalised.split()), symbols=said, script="spaced")
    return Wording(words=tuple(found), symbols=said, script=script)


def _script_of(text: str) -> Script:
    """Return the script that has most of the text's words."""
    characters, unspaced = len(_IS_CHARACTER.findall(text)), len(_IS_UNSPACED.findall(text))
    if not characters and not unspaced:
        return "spaced"
    spaced = len(_LONE.sub(" ", text).split())
    if spaced > max(characters, unspaced):
        return "spaced"
    return "characters" if characters >= unspaced else "unspaced"


def _without_shortened(text: str) -> str:
    """Return English contractions written out (`don't`, `dont` and `do not` are one), and no apostrophes."""
    text = _APOSTROPHES.sub("'", text)
    text = _NOT.sub(lambda found: f"{_full(next(part for part in found.groups() if part))} not", text)
    if "'" not in text:
        return text
    text = _SHORTENED.sub(lambda found: f"{found[1]} {_VERBS[found[2]]}", text)
    return text.replace("'", "")


def _full(verb: str) -> str:
    return _WHOLE.get(verb, verb)
