"""A confusion matrix: whole in memory, without its zeros in a file, where 1,200 labels would be 1.4 million of them."""

from typing import Annotated

from pydantic import PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator

from showdown.core.bounds import Count

Matrix = list[list[int]]
_MOST_ROWS = 2**63


def _whole(given: object, check: ValidatorFunctionWrapHandler) -> Matrix:
    """Return the whole matrix of what a file holds; one with its zeros, as older files have it, is checked as it is."""
    if not isinstance(given, list) or not any(isinstance(row, dict) for row in given):
        found: Matrix = check(given)
        return found
    matrix = [[0] * len(given) for _ in given]
    for true, row in enumerate(given):
        if not isinstance(row, dict):
            raise ValueError(f"row {true} is no object of labels and rows")
        for label, count in row.items():
            place = int(label) if isinstance(label, str) and label.isdecimal() and len(label) < 10 else len(given)
            if place >= len(given) or type(count) is not int or not 0 < count < _MOST_ROWS:
                raise ValueError(f"row {true} has an entry that is no label's place with a number of rows")
            matrix[true][place] = count
    return matrix


def _without_zeros(matrix: Matrix) -> list[dict[str, int]]:
    return [{str(label): count for label, count in enumerate(row) if count} for row in matrix]


ConfusionMatrix = Annotated[list[list[Count]], WrapValidator(_whole), PlainSerializer(_without_zeros, when_used="json")]
"""Rows are true labels, columns predicted ones. In JSON each row is an object: the place of a predicted label, as a
string, to the number of test rows, where there are any."""
