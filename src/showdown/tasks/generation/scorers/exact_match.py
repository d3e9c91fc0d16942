"""Exact match: whether the written answer is the wanted one."""

from showdown.tasks.generation.scorers.json_value import leaves, parsed
from showdown.tasks.generation.scorers.normal_form import normal_form


def exact_match(wanted: str, written: str) -> float:
    """Return 1.0 if both are the same in their normal form (`normal_form`), else 0.0.

    If the wanted answer is a JSON object or array, the written one must be JSON with the same values: the order of keys
    and white space do not count, and strings are compared in their normal form.
    """
    value = parsed(wanted)
    if isinstance(value, (dict, list)):
        return float(leaves(parsed(written)) == leaves(value))
    return float(normal_form(written) == normal_form(wanted))
