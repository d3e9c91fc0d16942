"""Which methods can use a model: checked once, before anything is trained."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.method import Job, Method, TunedMethod
from showdown.core.task import Task
from showdown.models.folder import FOUR_BITS, quantised_as, read_config
from showdown.models.source import locate


def refuse_unusable(job: Job, methods: Mapping[str, Method]) -> None:
    """Refuse a comparison in which a method cannot use the model, before any other has been trained.

    Args:
        job: with the model, pinned.
        methods: by arm.

    Raises:
        UserError: naming the arms, why, and which methods can use the model.

    """
    tuned = {row: method for row, method in methods.items() if isinstance(method, TunedMethod)}
    if tuned:
        folder = locate(job.model)
        _refuse_quantised(folder, job, tuned)
        refuse_architecture(folder, job.model.id, job.task)


def refuse_architecture(folder: Path, name: str, task: Task) -> None:
    """Refuse a model for whose architecture transformers has no network for the task. No network is made.

    Args:
        folder: of the model.
        name: the model's name in messages.
        task: what the network is for.

    Raises:
        UserError: naming the architecture.

    """
    refuse_kind(read_config(folder, name).get("model_type"), name, task)


def refuse_kind(kind: object, name: str, task: Task) -> None:
    """Refuse an architecture, as `refuse_architecture` does.

    Args:
        kind: its `model_type`.
        name: the model's name in messages.
        task: what the network is for.

    Raises:
        UserError: naming the architecture.

    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if kind in task.architectures():
        return
    why = f"has no {task.network_title}"
    if kind not in CONFIG_MAPPING_NAMES:
        why = f"is not in transformers {version('transformers')}, and code that comes with a model is never run"
    raise UserError(f"model `{name}`: its architecture `{kind}` {why}; choose {task.network_choice}")


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
