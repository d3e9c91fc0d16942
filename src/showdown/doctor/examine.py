"""All checks of this machine."""

from collections.abc import Iterator

from showdown.core.errors import UserError
from showdown.core.spec import SharedProtocol
from showdown.doctor.accounts import account_checks
from showdown.doctor.check import Check, Group, note, ok, wrong
from showdown.doctor.machine import machine_checks
from showdown.doctor.software import extra_checks, software_checks
from showdown.measure.environment import environment
from showdown.methods.table import METHODS, build
from showdown.models.built_in import BUILT_IN, built_in_state
from showdown.stages.artifact import placement_for


def examine() -> list[Group]:
    """Check which methods can run here, and how to fix what does not work. Nothing is written or sent."""
    placement = placement_for(SharedProtocol())
    found = environment(placement.device)
    device = ok("device", f"{found.gpu or found.cpu}: runs go there, in {placement.dtype}")
    return [
        Group(title="Machine", checks=[device, *machine_checks()]),
        Group(title="Software", checks=list(software_checks(found))),
        Group(title="Extras", checks=list(extra_checks())),
        Group(title="Logins", checks=list(account_checks())),
        Group(title="Built-in models", checks=list(map(_model, BUILT_IN))),
        Group(title="Methods", checks=list(_methods())),
    ]


def _model(name: str) -> Check:
    try:
        return ok(name, built_in_state(name))
    except UserError as error:
        said, _, fix = str(error).partition("; ")
        return note(name, said, fix or None)


def _methods() -> Iterator[Check]:
    for name in METHODS:
        try:
            reason = build(name, {}).unsupported_reason()
        except UserError as error:
            reason = str(error)
        if reason is None:
            yield ok(name, "usable")
            continue
        said, _, fix = reason.partition("; ")
        yield wrong(name, f"not usable: {said}", fix) if fix else note(name, f"not usable: {said}")
