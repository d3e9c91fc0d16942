"""The data sets that come with Showdown."""

from dataclasses import dataclass

from showdown.core.metric import CLASSIFICATION, GENERATION


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """One built-in data set: a CSV file in `showdown/datasets`."""

    file: str
    task: str
    given: str
    """Column of what a model is given: the text, or the prompt."""
    wanted: str
    """Column of what it should say: the label, or the answer."""


BUILT_INS: dict[str, BuiltIn] = {
    "resumes": BuiltIn(file="resumes.csv", task=CLASSIFICATION, given="text", wanted="label"),
    "notes": BuiltIn(file="notes.csv", task=GENERATION, given="note", wanted="answer"),
}
