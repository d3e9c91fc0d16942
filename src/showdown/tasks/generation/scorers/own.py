"""A score that the user wrote: a function of the prompt, the wanted and the written answer.

It is code of the user's own, as a plugin is. It runs in the process that scores, and once before all runs, where it is
tried on a row.
"""

import inspect
import math
import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsFloat

import numpy as np

from showdown.core.errors import UserError, suggestion, then
from showdown.core.registry import Registry
from showdown.tasks.generation.scorers.own_file import Function, function_of_file, in_words
from showdown.tasks.generation.scorers.table import SCORERS

GROUP = "showdown.scorers"
"""Group of the entry points by which packages add scores."""
_FORM = "a score of your own is `FILE.py:FUNCTION`, or a name that a package adds as an entry point of " + GROUP
_ROUNDING = 1e-9
"""How far a value may lie outside its bounds from rounding."""


@dataclass(frozen=True, kw_only=True)
class OwnScorer:
    """A score of the user's own, ready to be called. Higher is better."""

    where: str
    """As the comparison names it."""
    title: str
    """The function's attribute `title`, or else its name."""
    lowest: float
    """The function's attribute of this name, or else 0; minus infinity for a score without bound. So for the next."""
    highest: float
    sha256: str | None
    """Of the file, part of a run's identity: the file may change. Modules that it imports are not in it. None for an
    entry point."""
    package: str | None
    """Name and version of the package of an entry point, its part of the identity; None for a file."""
    function: Function
    """What the user wrote: (prompt, wanted, written) to a number."""

    def __call__(self, prompt: str, wanted: str, written: str, row: str = "a row") -> float:
        """Return the score of one answer.

        Args:
            prompt: what the model was asked.
            wanted: the right answer.
            written: the model's.
            row: what a message calls the row of data, such as `test row 12`.

        Raises:
            UserError: in one line, where the function raises, or returns anything but a number within its bounds. True
                and False count as 1 and 0.

        """
        place = f"scorer `{self.where}`, {row}"
        try:
            value = self.function(prompt, wanted, written)
        except (Exception, SystemExit) as error:
            told = in_words(error, _file_of(self.function))
            raise UserError(f"{place}: it raised {told}; mend the function") from error
        if not isinstance(value, (numbers.Real, np.bool_)):
            raise UserError(f"{place}: it returned {_shown(value)}; return a number")
        number = _float(value)
        if not math.isfinite(number):
            raise UserError(f"{place}: it returned {number}; return a finite number")
        if not self.lowest - _ROUNDING <= number <= self.highest + _ROUNDING:
            raise UserError(
                f"{place}: it returned {number:g}, outside {self.lowest:g} to {self.highest:g}; return a value within, "
                "or declare others as attributes of the function: `FUNCTION.lowest`, `FUNCTION.highest`"
            )
        return min(max(number, self.lowest), self.highest)


def load_scorer(where: str, base: Path) -> OwnScorer:
    """Return the user's own score.

    Args:
        where: `path/to/file.py:function`, or the name of an entry point of the group `showdown.scorers`.
        base: the folder that the path is relative to: that of the comparison file.

    Raises:
        UserError: in one line, where there is no such file, function or entry point, where the file fails when it is
            loaded, or where the function does not take three texts or declares bounds that are none.

    """
    file, colon, name = where.rpartition(":")
    if not colon and where.endswith(".py"):
        raise UserError(f"scorer `{where}`: name the function behind a colon, as in `{where}:score`")
    if not colon:
        return _from_package(where)
    if not file.endswith(".py"):
        raise UserError(f"scorer `{where}`: `{file}` is no .py file; {_FORM}")
    function, sha256 = function_of_file(where, base, file, name)
    return _scorer(where, function, sha256=sha256, package=None)


def _from_package(name: str) -> OwnScorer:
    if name not in PLUGINS:
        told = "is built in; " + _FORM if name in SCORERS else "unknown" + then(suggestion(name, PLUGINS), _FORM)
        raise UserError(f"scorer `{name}` {told}")
    package = PLUGINS.package(name)
    if name in SCORERS:
        raise UserError(
            f"scorer `{name}`: the package `{package}` adds one of the same name as a built-in one; uninstall it, or "
            "rename its own"
        )
    return _scorer(name, PLUGINS.load(name), sha256=None, package=package)


def _plugin(name: str, found: object) -> Function | str:
    return found if callable(found) else "is no function"


PLUGINS: Registry[Function] = Registry("scorer", GROUP, {}, _plugin)
"""Scores that installed packages add."""


def _scorer(where: str, function: Function, *, sha256: str | None, package: str | None) -> OwnScorer:
    _refuse_other_arguments(where, function)
    lowest, highest = (_bound(where, function, name, usual) for name, usual in (("lowest", 0.0), ("highest", 1.0)))
    if not lowest < highest:
        raise UserError(f"scorer `{where}`: `lowest` is {lowest:g} and `highest` {highest:g}; lowest must be below")
    title = getattr(function, "title", None)
    if title is None:
        title = getattr(function, "__name__", where).replace("_", " ")
    if not (isinstance(title, str) and title.strip() and title.isprintable()):
        raise UserError(f"scorer `{where}`: its `title` is {_shown(title)}; give one line of text")
    return OwnScorer(
        where=where,
        title=title.strip(),
        lowest=lowest,
        highest=highest,
        sha256=sha256,
        package=package,
        function=function,
    )


def _refuse_other_arguments(where: str, function: Function) -> None:
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # some functions written in C do not tell
        return
    try:
        signature.bind("", "", "")
    except TypeError as error:
        raise UserError(
            f"scorer `{where}`: its arguments are {signature}; it is called with three texts: prompt, wanted, written"
        ) from error


def _bound(where: str, function: Function, name: str, usual: float) -> float:
    value = getattr(function, name, usual)
    if not isinstance(value, numbers.Real) or math.isnan(_float(value)):
        raise UserError(f"scorer `{where}`: its `{name}` is {_shown(value)}; give a number")
    return _float(value)


def _float(value: SupportsFloat) -> float:
    """Return a number as a float; infinity for one that no float holds."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _file_of(function: Function) -> str | None:
    code = getattr(function, "__code__", None)
    return None if code is None else str(code.co_filename)


def _shown(value: object) -> str:
    """Return what a value is, for a message: only simple ones are quoted, since others print at any length."""
    simple = value is None or isinstance(value, (bool, float))
    return repr(value) if simple else f"something of type {type(value).__name__}"
