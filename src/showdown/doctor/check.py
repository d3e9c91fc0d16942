"""One thing that was checked."""

from collections.abc import Sequence
from typing import Literal

from showdown.core.strict import Strict

State = Literal["ok", "note", "fix"]
"""It works; it is missing, and nothing needs it here; or something does not work, and can be fixed."""


class Check(Strict):
    """What was found of one thing, and the exact fix where there is one."""

    name: str
    state: State
    says: str
    fix: str | None = None


class Group(Strict):
    """Checks of one kind."""

    title: str
    checks: list[Check]


def ok(name: str, says: str) -> Check:
    """Return that something works."""
    return Check(name=name, state="ok", says=says)


def note(name: str, says: str, fix: str | None = None) -> Check:
    """Return that something is not here, which keeps nothing from working."""
    return Check(name=name, state="note", says=says, fix=fix)


def wrong(name: str, says: str, fix: str) -> Check:
    """Return that something does not work, and the fix."""
    return Check(name=name, state="fix", says=says, fix=fix)


def lines_of(groups: Sequence[Group]) -> list[str]:
    """Return the checks for a terminal: a line each, the fixes behind them, and a last line that counts what to fix."""
    width = max(len(check.name) for group in groups for check in group.checks)
    lines: list[str] = []
    for group in groups:
        lines.append(group.title)
        for check in group.checks:
            fix = "" if check.fix is None else f"; {'fix: ' if check.state == 'fix' else ''}{check.fix}"
            lines.append(f"  {check.state:<4}  {check.name:<{width}}  {check.says}{fix}")
    broken = [check.name for group in groups for check in group.checks if check.state == "fix"]
    return [*lines, f"To fix: {', '.join(broken)}" if broken else "Everything that is needed here works"]
