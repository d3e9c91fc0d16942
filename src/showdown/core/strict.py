"""The base of every record and setting, and which of its fields make up an identity."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_ADDED_LATER = "added_later"


class Strict(BaseModel):
    """A frozen model in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def added_later(default: Any, **constraints: Any) -> Any:
    """Return the `Field` of a key that earlier versions did not have.

    The key is left out of a run's identity while it has its default. Runs of earlier versions, which behaved as the
    default says, so keep their ids.

    Args:
        default: must stand for what earlier versions did.
        constraints: of `pydantic.Field`, such as `ge=0.0`.

    """
    return Field(default=default, json_schema_extra={_ADDED_LATER: True}, **constraints)


def identity_of(model: BaseModel) -> dict[str, Any]:
    """Return a model as JSON values, at every depth without keys that were added later and have their default."""
    written = model.model_dump(mode="json")
    for key, field in type(model).model_fields.items():
        value, extra = getattr(model, key), field.json_schema_extra
        if isinstance(extra, dict) and _ADDED_LATER in extra and value == field.default:
            del written[key]
        elif isinstance(value, BaseModel):
            written[key] = identity_of(value)
    return written
