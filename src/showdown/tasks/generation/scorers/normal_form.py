"""The form in which two texts are compared, so that case, white space and a full stop do not count."""

import unicodedata

_QUOTES = frozenset("\"'`«»‹›“”„‟‘’‚‛「」『』")
_MOST_MARKS = 30
_GRAPHEME_JOINER = "\u034f"
_SENTENCE_MARKS = frozenset(".,;:!?¡¿。、，！？；：؟،۔।")


def normal_form(text: str) -> str:
    """Return a text in the form in which it is compared.

    Unicode's NFKC, case folded, each run of white space one space, and at the ends neither sentence marks nor a pair
    of quotes. A text of nothing else keeps them.

    The idea is SQuAD's (`normalize_answer` of its evaluate-v1.1.py; Rajpurkar et al. 2016). That one also drops the
    words a, an and the, and all punctuation. Both are left out here: the first is of English alone and takes the answer
    "A" for none, and without punctuation 3.5 equals 35, -5 equals 5 and C# equals C.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _stream_safe(text)).casefold())
    collapsed = " ".join(folded.split())
    start, end = _inner(collapsed)
    return collapsed[start:end] or collapsed


def _stream_safe(text: str) -> str:
    """Return a text without more than 30 combining marks in a row: Unicode's Stream-Safe Text Format (UAX #15).

    Normalisation sorts such marks, in Python in a time that grows with the square of their number: 100,000 take half a
    minute.
    """
    if text.isascii():
        return text
    found, marks = [], 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks > _MOST_MARKS:
            found.append(_GRAPHEME_JOINER)
            marks = 1
        found.append(letter)
    return "".join(found)


def _inner(text: str) -> tuple[int, int]:
    """Return where a text begins and ends without sentence marks and pairs of quotes at its ends."""
    start, end = 0, len(text)
    while start < end:
        if text[end - 1] in _SENTENCE_MARKS or text[end - 1] == " ":
            end -= 1
        elif text[start] in "¡¿ ":
            start += 1
        elif end - start > 1 and text[start] in _QUOTES and text[end - 1] in _QUOTES:
            start, end = start + 1, end - 1
        else:
            break
    return start, end
