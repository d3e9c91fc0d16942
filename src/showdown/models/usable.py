"""Which methods can use a model: asked once, before anything is trained."""

from collections.abc import Mapping
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.method import Job, Method, TunedMethod
from showdown.models.source import FOUR_BITS, locate, quantised_as, read_config


def refuse_unusable(job: Job, methods: Mapping[str, Method]) -> None:
    """Refuse a comparison in which a method cannot use the model, before any other has been trained.

    Args:
        job: with the model, pinned.
        methods: by row of the table.

    Raises:
        UserError: naming the rows, why, and which methods can use the model.

    """
    folder = locate(job.model)
    tuned = {row: method for row, method in methods.items() if isinstance(method, TunedMethod)}
    if not tuned:
        return
    _refuse_quantised(folder, job, tuned)
    from showdown.models.network import network_skeleton

    network = network_skeleton(folder, job)  # refuses an architecture without a classifier
    adapted = [row for row, method in tuned.items() if method.leaves_network]
    if adapted and not network.linear_names:
        raise UserError(
            f"model `{job.model.id}` keeps its layers in a form that adapters do not go to; take out {_rows(adapted)}, "
            "or choose a model with linear layers (docs/architectures.md)"
        )


def _refuse_quantised(folder: Path, job: Job, tuned: Mapping[str, TunedMethod]) -> None:
    kind = quantised_as(read_config(folder, job.model.id))
    if kind is None:
        return
    four_bits = kind == FOUR_BITS
    unable = [row for row, method in tuned.items() if not (four_bits and method.options.four_bit)]
    if unable:
        able = "qlora, frozen and zero-shot" if four_bits else "frozen and zero-shot, where its package is installed,"
        raise UserError(
            f"model `{job.model.id}` is quantised already ({kind}), and {_rows(unable)} need weights that are not; "
            f"give the model that it was made from, or take them out: {able} can use this one"
        )


def _rows(rows: list[str]) -> str:
    return ", ".join(f"`{row}`" for row in rows)
