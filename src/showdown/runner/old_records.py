"""Records that older versions wrote: what they lack is filled in when they are read."""

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from showdown.core.errors import UserError
from showdown.core.record import Results, RunRecord
from showdown.core.traits import Role, Traits
from showdown.methods.table import method_class

_Kind = TypeVar("_Kind", RunRecord, Results)
_ROLES: dict[str, Role] = {"text": "cheap", "network": "cheap", "search": "prompted", "training": "fine-tuned"}
"""Role of an unknown method by `RunSpec.needs`."""


def parse_record(kind: type[_Kind], content: bytes) -> _Kind:
    """Parse a record or the results of a comparison; runs without traits get those of their method.

    Args:
        kind: what the content is.
        content: of the file, JSON.

    Raises:
        ValidationError: for anything else than a file of this version or of an older one.

    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        if not any(fault["type"] == "missing" and fault["loc"][-1] == "traits" for fault in error.errors()):
            raise
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise error from None
    runs = [document] if kind is RunRecord else document["runs"]
    for run in runs:
        if isinstance(run, dict) and "traits" not in run:
            run["traits"] = _traits(run).model_dump(mode="json")
    return kind.model_validate_json(json.dumps(document))


def _traits(run: dict[str, Any]) -> Traits:
    """Return the traits of a run's method; of a method that is not in the table, what the run itself says of it.

    An unknown method is taken to depend on its seed, so that no interval comes out too narrow.
    """
    try:
        return method_class(str(run.get("method"))).traits
    except UserError:
        spec = run.get("spec")
        needs = str(spec.get("needs")) if isinstance(spec, dict) else "training"
        return Traits(
            role=_ROLES.get(needs, "fine-tuned"), deterministic=False, reads="words" if needs == "text" else "tokens"
        )
