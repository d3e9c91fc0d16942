"""A saved model on a pretrained network that its process keeps, and that network as it was before."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.method import NetworkOptions, TunedMethod
from showdown.core.predictor import Predictor
from showdown.methods.table import build
from showdown.stages.artifact import base_of, predictor_of, reloaded
from showdown.stages.base_cache import BaseCache
from showdown.stages.context import StageContext

if TYPE_CHECKING:
    from showdown.models.network import Network


@dataclass(frozen=True, kw_only=True)
class OpenedModel:
    """A saved model that answers until the network beneath it is given back."""

    predictor: Predictor
    give_back: Callable[[], bool]
    """Takes the model off the network, and tells whether that differs from what was loaded; it is then let go."""


def open_on(kept: BaseCache, context: StageContext, artifact: Path) -> OpenedModel:
    """Read what a run saved from the disk, onto the network that is kept.

    Args:
        kept: has the network, or gets it.
        context: of the run, whose method leaves the network as it was.
        artifact: the folder that the method wrote.

    """
    method, job = _method(context), context.job
    taken: list[Network] = []

    def base() -> "Network":
        taken.append(kept.take(base_of(method, job), job.seed))
        return taken[-1]

    module = reloaded(method, job, artifact, base)

    def give_back() -> bool:
        stripped = method.strip(module)
        return kept.leave(None if stripped is None else replace(taken.pop(), module=stripped))

    return OpenedModel(predictor=predictor_of(job, module, artifact), give_back=give_back)


def borrow_base(kept: BaseCache, context: StageContext) -> "Network | None":
    """Return the network that a run began with, to be left again; None where its method holds it in fewer bits.

    The one that is kept is then let go, so that the other one has room.
    """
    method, job = _method(context), context.job
    if method.options != NetworkOptions():
        kept.leave(None)
        return None
    return kept.take(base_of(method, job), job.seed)


def _method(context: StageContext) -> TunedMethod:
    method = build(context.spec.method, context.spec.settings)
    assert isinstance(method, TunedMethod)
    return method
