"""Loading a network whose linear layers are held in fewer bits, tensor by tensor.

Each tensor of the checkpoint is read from the file's mapped pages, quantised on the device and dropped before the next
one is read, so that there is never more than one tensor in 16 bits beside the quantised network.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from showdown.models.folder import weight_files

Make = Callable[[Any, torch.Tensor, torch.dtype], nn.Module]
"""From a linear layer on the meta device, its weight on the device and the compute type to the layer that holds it."""


def _names(folder: Path) -> set[str]:
    from safetensors import safe_open

    found: set[str] = set()
    for path in weight_files(folder, str(folder)):
        with safe_open(path, framework="pt", device="cpu") as file:
            found.update(file.keys())
    return found


def _refuse_other_names(skeleton: nn.Module, folder: Path, prefix: str) -> None:
    stacks = tuple(f"{name}." for name, child in skeleton.named_modules() if isinstance(child, nn.ModuleList))
    stored = _names(folder)
    for name, _ in skeleton.named_parameters():
        if name.startswith(stacks) and name not in stored and name.removeprefix(prefix) not in stored:
            raise ValueError(f"{name} of {type(skeleton).__name__} is in no file of {folder} under that name")


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import safe_open

    for path in weight_files(folder, str(folder)):
        with safe_open(path, framework="pt", device="cpu") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping, though it has keys
                yield name, file.get_tensor(name)


def load_by_tensor(
    skeleton: Any, folder: Path, make: Make, *, device: str, dtype: torch.dtype, keep: Sequence[str] = ()
) -> list[str]:
    """Fill a network made on the meta device from a checkpoint, its linear layers made anew.

    Args:
        skeleton: the network, its parameters on the meta device; it is changed in place.
        folder: holds the checkpoint as safetensors.
        make: makes a layer that holds a weight in fewer bits.
        device: where the network goes: `cuda` or `cpu`.
        dtype: the compute type, and that of everything that is not quantised.
        keep: names of modules that are not quantised, with all that is in them: the head, or the output layer of a
            language model, whose weight may be the embedding's.

    Returns:
        The names of parameters that the checkpoint lacks. They are on the device, with undefined values.

    Raises:
        ValueError: when the network has a buffer that cannot be made again, or the checkpoint holds the tensors of its
            layers under other names or in another form, as experts one by one; load it another way.

    """
    wanted = dict(skeleton.named_parameters())
    prefix = f"{getattr(skeleton, 'base_model_prefix', '')}."
    _refuse_other_names(skeleton, folder, prefix)
    seen = set()
    for stored, tensor in _tensors(folder):
        name = stored if stored in wanted else prefix + stored
        if name in wanted and wanted[name].shape == tensor.shape:
            _place(skeleton, name, tensor, make, device=device, dtype=dtype, keep=keep)
            seen.add(name)
    missing = [name for name in wanted if name not in seen]
    for name in missing:
        _set_parameter(skeleton, name, torch.empty(wanted[name].shape, dtype=dtype, device=device))
    model: Any = skeleton
    if model.config.get_text_config().tie_word_embeddings:
        model.tie_weights()
    _make_buffers(skeleton, device)
    return missing


def _place(
    skeleton: nn.Module,
    name: str,
    tensor: torch.Tensor,
    make: Make,
    *,
    device: str,
    dtype: torch.dtype,
    keep: Sequence[str],
) -> None:
    owner_name, _, own = name.rpartition(".")
    owner = skeleton.get_submodule(owner_name)
    kept = any(name == one or name.startswith(one + ".") for one in keep)
    linear = isinstance(owner, nn.Linear) and own == "weight"
    if kept or not linear:
        _set_parameter(skeleton, name, tensor.to(device=device, dtype=dtype, copy=True))
        return
    parent, _, child = owner_name.rpartition(".")
    setattr(skeleton.get_submodule(parent), child, make(owner, tensor.to(device, dtype), dtype))


def _set_parameter(skeleton: nn.Module, name: str, value: torch.Tensor) -> None:
    owner_name, _, own = name.rpartition(".")
    setattr(skeleton.get_submodule(owner_name), own, nn.Parameter(value, requires_grad=False))


def _make_buffers(skeleton: Any, device: str) -> None:
    """Make the buffers that a network on the meta device lacks and no checkpoint holds, such as rotary frequencies."""
    for name, module in list(skeleton.named_modules()):
        if type(module).__name__.endswith("RotaryEmbedding"):
            parent, _, child = name.rpartition(".")
            setattr(skeleton.get_submodule(parent), child, type(module)(config=module.config).to(device))
        elif "embed_scale" in dict(module.named_buffers(recurse=False)):
            module.embed_scale = torch.tensor(float(skeleton.config.hidden_size) ** 0.5, device=device)
    lost = [name for name, buffer in skeleton.named_buffers() if buffer.is_meta]
    if lost:
        raise ValueError(f"buffer {lost[0]} of {type(skeleton).__name__} is in no checkpoint and cannot be made again")
