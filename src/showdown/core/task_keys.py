"""Which keys of a comparison belong to one task alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from showdown.core.metric import CLASSIFICATION, GENERATION

TASK_KEYS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    CLASSIFICATION: {"data": ("text", "label", "labels", "rare_labels", "rare_label")},
    GENERATION: {
        "data": ("prompt", "answer", "messages", "system", "overlong"),
        "model": ("chat_template",),
        "protocol": ("loss_on", "max_new_tokens", "scorer"),
    },
}
"""By task and section. A comparison of another task refuses them, and its report does without them."""
_OFF_BY_DEFAULT: Mapping[str, Mapping[str, tuple[str, ...]]] = {CLASSIFICATION: {"protocol": ("label_smoothing",)}}
"""Keys that every task has, but that are called after something of this one. Reports of others show them where set."""
_LABEL = "{label}"


def keys_of_others(task: str) -> Iterator[tuple[str, str, str]]:
    """Yield the keys that a task does not have: the task that has it, its section, and the key."""
    for other, sections in TASK_KEYS.items():
        if other != task:
            yield from ((other, section, key) for section, keys in sections.items() for key in keys)


def shown_keys(task: str, section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a section that a report of a task shows, with their values.

    Args:
        task: of the comparison.
        section: `data`, `model` or `protocol`.
        values: of the section by key, defaults filled in.

    """
    hidden = {key for _, place, key in keys_of_others(task) if place == section}
    hidden |= {
        key
        for other, sections in _OFF_BY_DEFAULT.items()
        for key in sections.get(section, ())
        if other != task and not values.get(key)
    }
    return {key: value for key, value in values.items() if key not in hidden}


def is_for_labels(value: object) -> bool:
    """Return whether a setting of a method is a sentence that a label is put into: of no use where answers are written.

    Args:
        value: of the setting.

    """
    return isinstance(value, str) and _LABEL in value
