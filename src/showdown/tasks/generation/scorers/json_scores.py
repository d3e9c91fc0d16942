"""Scores of answers in JSON: whether an answer is valid, and how many of its fields are right."""

from collections.abc import Sequence

from showdown.tasks.generation.scorers.json_value import INVALID, leaves, parsed


def json_valid(wanted: str, written: str) -> float:
    """Return 1.0 if the whole written answer is one valid JSON value (see `parsed`), else 0.0; the wanted one does not
    count."""
    return float(parsed(written) is not INVALID)


def json_fields(wanted: str, written: str) -> float:
    """Return the F1 of the fields of a JSON answer, from 0 to 1.

    A field is a path and its value (`leaves`); it is right if the wanted answer has the same value at the same path.
    F1 = 2 right / (fields wanted + fields written). Numbers are equal as numbers (12 and 12.0), strings in their normal
    form; true and 1 differ, and so do "12" and 12. It is 0 where either answer is no valid JSON.
    """
    right, answer = leaves(parsed(wanted)), leaves(parsed(written))
    if not right or not answer:
        return 0.0
    same = sum(right.get(path) == leaf for path, leaf in answer.items())
    return 2 * same / (len(right) + len(answer))


def are_json(wanted: Sequence[str]) -> bool:
    """Return whether every wanted answer is a JSON object or array."""
    return bool(wanted) and all(isinstance(parsed(answer), (dict, list)) for answer in wanted)


def are_json_objects(wanted: Sequence[str]) -> bool:
    """Return whether every wanted answer is a JSON object."""
    return bool(wanted) and all(isinstance(parsed(answer), dict) for answer in wanted)
