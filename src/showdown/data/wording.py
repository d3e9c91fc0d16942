"""The words of a text as they are compared to find copies. The texts used for training are not changed."""

import re
import string
import sys
import unicodedata
from dataclasses import dataclass
from typing import Literal

Script = Literal["spaced", "characters", "unspaced"]
"""The script of a text: `spaced` has words between spaces; `characters` is Han and Kana, where a character is nearly a
word; `unspaced` is an alphabet without spaces between words (Thai, Lao, Khmer, Burmese, Javanese, Tibetan)."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Soft hyphens, zero-width characters, direction marks, variation selectors, the Arabic elongation (tatweel)."""
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]"
)
"""Marks that writers often omit: accents of Latin, Greek and Cyrillic, vowel signs of Hebrew and Arabic. The marks of
Indic and South-East Asian scripts are letters, so they stay."""
_CHARACTERS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1a20-\u1aaf\ua980-\ua9df\uaa60-\uaa7f"
_LONE = re.compile(f"([{_CHARACTERS}{_UNSPACED}])")
_IS_CHARACTER = re.compile(f"[{_CHARACTERS}]")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_EMOJI = re.compile("[\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff]")
_JOINERS = re.compile(r"[-\u2010-\u2015\u2212_/]")
"""Hyphens, dashes and slashes; they count as spaces."""
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
    """The parts of a text that are compared."""

    words: tuple[str, ...]
    """Words; in a script without spaces, characters."""
    symbols: str
    """The different emoji and emoticons, sorted; may be empty."""
    script: Script


def normalise(text: str) -> str:
    """Return the text in the form in which exact copies are equal.

    That is Unicode NFKC, case folded, without invisible characters, and with white space reduced to single spaces.
    """
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.casefold().split())


def words(normalised: str) -> list[str]:
    """Return the words of a normalised text, without accents, punctuation and symbols. Hyphens count as spaces.

    In scripts without spaces each character is a word. If a text has only punctuation and symbols, they are its words.
    """
    return list(wording(normalised).words)


def wording(normalised: str) -> Wording:
    """Return the parts of a normalised text that are compared."""
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
    sorted_symbols = "".join(sorted(symbols))
    if not found:
        return Wording(words=tuple(normalised.split()), symbols=sorted_symbols, script="spaced")
    return Wording(words=tuple(found), symbols=sorted_symbols, script=script)


def _script_of(text: str) -> Script:
    """Return the script of most of the text's words."""
    characters, unspaced = len(_IS_CHARACTER.findall(text)), len(_IS_UNSPACED.findall(text))
    if not characters and not unspaced:
        return "spaced"
    spaced = len(_LONE.sub(" ", text).split())
    if spaced > max(characters, unspaced):
        return "spaced"
    return "characters" if characters >= unspaced else "unspaced"


def _without_shortened(text: str) -> str:
    """Return the text with English contractions written out (`don't` and `dont` as `do not`), without apostrophes."""
    text = _APOSTROPHES.sub("'", text)
    text = _NOT.sub(lambda found: f"{_full(next(part for part in found.groups() if part))} not", text)
    if "'" not in text:
        return text
    text = _SHORTENED.sub(lambda found: f"{found[1]} {_VERBS[found[2]]}", text)
    return text.replace("'", "")


def _full(verb: str) -> str:
    return _WHOLE.get(verb, verb)
