"""Numeric match: whether the number that an answer ends with is the wanted one, as GSM8K is scored."""

import re
from collections.abc import Sequence
from decimal import Decimal

MARK = "####"
"""What GSM8K's answers have before the number."""
_CURRENCY = "$€£¥₹₩₽"
_NUMBER = re.compile(
    rf"(?P<minus>(?<![\w.,)])[-\u2212][{_CURRENCY}]?)?"  # a hyphen behind a word or a number is no minus
    r"(?P<digits>\d+(?:,\d+|['’\u00a0\u202f\u2009]\d{3}(?!\d))*(?:\.\d+)?|(?<!\d)\.\d+)"
    r"(?P<exponent>[eE][+-]?\d{1,3}(?!\d))?"
)
_SEPARATORS = str.maketrans("", "", ",'’\u00a0\u202f\u2009")


def numeric_match(wanted: str, written: str) -> float:
    """Return 1.0 if both answers have a number (`number_of`) and the numbers are equal, 2 and 2.0 too; else 0.0."""
    right, answer = number_of(wanted), number_of(written)
    return float(right is not None and right == answer)


def number_of(text: str) -> Decimal | None:
    """Return the number that an answer gives, or None.

    It is the first one behind the last `####`; in a text without that mark the last one. The mark is GSM8K's (Cobbe et
    al. 2021, `extract_answer` of grade_school_math/dataset.py), the last number is how lm-evaluation-harness reads
    answers without it (`flexible-extract` of gsm8k.yaml). Commas between digits are dropped, as there, and so are an
    apostrophe or a narrow space before three digits. Currency signs, a percent sign and a full stop do not count.
    """
    _, mark, behind = text.rpartition(MARK)
    if mark:
        found = _NUMBER.search(behind)
    else:
        found = None
        for found in _NUMBER.finditer(text):  # noqa: B007 - the last one
            pass
    return _decimal(found) if found else None


def are_numbers(wanted: Sequence[str]) -> bool:
    """Return whether every wanted answer is a number, or has one behind `####`."""
    return bool(wanted) and all((MARK in one and number_of(one) is not None) or _is_number(one) for one in wanted)


def _decimal(found: re.Match[str]) -> Decimal:
    number = Decimal(found["digits"].translate(_SEPARATORS) + (found["exponent"] or ""))
    return number.copy_negate() if found["minus"] else number


def _is_number(text: str) -> bool:
    """Return whether a text is a number and nothing else but a currency or percent sign and a full stop."""
    bare = text.strip().rstrip(". ").strip(f"{_CURRENCY}% ")
    return _NUMBER.fullmatch(bare) is not None
