"""A pretrained network with a head for the task, and what its parts are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from showdown.core.errors import Unavailable, UserError
from showdown.core.method import Job, NetworkOptions, Placement
from showdown.core.task import Task
from showdown.fp8.format import MULTIPLE
from showdown.fp8.linear import fits, fp8_layer
from showdown.models.by_tensor import Make, load_by_tensor
from showdown.models.folder import checked_folder, quantised_as, read_config
from showdown.models.nf4 import nf4_layer
from showdown.models.padding import attend_without_plans
from showdown.models.parts import other_modalities, parts_of, stack_linears, topmost
from showdown.models.usable import refuse_architecture

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.models.auto.auto_factory import _BaseAutoModelClass

NO_ADAPTER = {"adapter_kwargs": {"subfolder": "no-adapter"}}
"""Makes transformers look for an adapter where there is none: it would otherwise load one beside a network."""
_NF4_BLOCK = 64
"""Weights that share one scale in NF4 (arXiv 2305.14314, and bitsandbytes' default)."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network whose parts are named."""

    module: nn.Module
    peft_task_type: str
    """What PEFT calls the network's task (`Task.peft_task_type`)."""
    head_names: tuple[str, ...]
    """The task's head, and any module that the checkpoint has no weights for. Trained in every arm."""
    linear_names: tuple[str, ...]
    """Linear layers inside the backbone's stack of layers: where adapters go. Neither pooler nor head."""
    idle_names: tuple[str, ...] = ()
    """Parts that no text goes through: the vision and audio towers of a multimodal network. They are never trained."""
    drawn: tuple[str, ...] = ()
    """Parameters that the checkpoint has no weights for: drawn from the seed."""

    def redraw(self, seed: int) -> None:
        """Draw the new weights again, from another seed."""
        _draw_new_weights(self.module, self.drawn, seed)


def dtype_of(placement: Placement) -> torch.dtype:
    """Return the torch number type of a placement."""
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[placement.dtype]


def load_network(folder: Path, job: Job, options: NetworkOptions) -> Network:
    """Load the pretrained network with a head for the job's task and labels, its new weights drawn from the job's seed.

    A given seed gives every method the same new head.

    Raises:
        UserError: when the architecture has no network for the task, or the checkpoint lacks weights of a layer.
        Unavailable: when its layers cannot be held in four bits on this device, or in fp8.

    """
    skeleton = _skeleton(folder, job)
    head_names = job.task.head_names(skeleton)
    if options.fp8:
        _refuse_other_layers(skeleton, head_names, "is not rounded to fp8")
        _refuse_odd_layers(skeleton, dense_names(skeleton, head_names))
    if options.four_bit:
        _refuse_other_layers(skeleton, head_names, "bitsandbytes does not hold in four bits")
        if job.placement.device == "cpu":
            _refuse_narrow_layers(skeleton, dense_names(skeleton, head_names))
    module, missing = _load(folder, job, options, skeleton, dense_names(skeleton, head_names))
    _refuse_holes(skeleton, head_names, missing, job)
    fresh = tuple(sorted({key.rpartition(".")[0] for key in missing}))
    _draw_new_weights(module, missing, job.seed)
    return _named(module, job.task, topmost(set(head_names) | set(fresh)), drawn=tuple(missing))


def _named(module: nn.Module, task: Task, head_names: tuple[str, ...], drawn: tuple[str, ...] = ()) -> Network:
    idle = other_modalities(module)
    return Network(
        module=module,
        peft_task_type=task.peft_task_type,
        head_names=tuple(name for name in head_names if not name.startswith(tuple(f"{one}." for one in idle))),
        linear_names=stack_linears(module, (*head_names, *idle)),
        idle_names=idle,
        drawn=drawn,
    )


def dense_names(module: nn.Module, head_names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the modules that are never quantised: the task's head, and the output layer of a language model.

    The output layer may share its weight with the embedding.
    """
    output: Any = getattr(module, "get_output_embeddings", lambda: None)()
    return (*head_names, *(name for name, child in module.named_modules() if child is output))


def network_skeleton(folder: Path, job: Job) -> Network:
    """Build the network on the meta device: its parts, shapes and names, and no weight.

    Raises:
        UserError: when the architecture has no network for the task.

    """
    module = _skeleton(folder, job)
    return _named(module, job.task, job.task.head_names(module))


def skeleton_of(config: "PretrainedConfig", job: Job) -> Network:
    """Build the network of a configuration, which the task has completed, on the meta device.

    Raises:
        UserError: when its architecture needs a package that is not installed.

    """
    module = _without_weights(config, job)
    return _named(module, job.task, job.task.head_names(module))


def load_saved_network(folder: Path, job: Job) -> Network:
    """Load a network that `save_pretrained` wrote, head and all.

    Raises:
        UserError: when its configuration or weights are damaged, or no safetensors files.
        ValueError: when the folder lacks a weight, which would otherwise be drawn at random without notice.

    """
    checked_folder(folder, str(folder))
    module, missing = _from_pretrained(folder, job, NetworkOptions(), ())
    if missing:
        raise ValueError(f"{folder} lacks {len(missing)} weights, among them {missing[0]}")
    return _named(module, job.task, job.task.head_names(module))


def configuration(folder: Path, job: Job) -> "PretrainedConfig":
    """Return a model's configuration with what the task needs, and the job's dropout."""
    from transformers import AutoConfig

    config: PretrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return completed(config, job)


def completed(config: "PretrainedConfig", job: Job) -> "PretrainedConfig":
    """Write into a model's configuration what the task needs, and the job's dropout; return it."""
    job.task.configure(config, job.labels)
    if job.protocol.dropout is not None:
        set_dropout(config, job.protocol.dropout)
    return config


def set_dropout(config: "PretrainedConfig", probability: float) -> None:
    """Set every dropout probability that a configuration names (families name them differently)."""
    for _, part in parts_of(config):
        for name, value in list(part.to_dict().items()):
            if "drop" in name and isinstance(value, (int, float)) and not isinstance(value, bool):
                setattr(part, name, probability)


def _skeleton(folder: Path, job: Job) -> nn.Module:
    """Build the network without weights, to learn the names of its parts before it is loaded."""
    refuse_architecture(folder, job.model.id, job.task)
    return _without_weights(configuration(folder, job), job)


def _without_weights(config: "PretrainedConfig", job: Job) -> nn.Module:
    try:
        with torch.device("meta"):
            module: nn.Module = _auto_class(job).from_config(config, trust_remote_code=False)
    except ImportError as error:
        raise UserError(
            f"model `{job.model.id}`: its architecture `{config.model_type}` needs a package that is not installed "
            f"({' '.join(str(error).split())[:120]}); install it, or choose an encoder or a decoder that needs none"
        ) from error
    return module


def _auto_class(job: Job) -> "type[_BaseAutoModelClass]":
    """Return transformers' class that loads a network for the job's task."""
    import transformers

    found: type[_BaseAutoModelClass] = getattr(transformers, job.task.auto_class)
    return found


def _load(
    folder: Path, job: Job, options: NetworkOptions, skeleton: nn.Module, dense: tuple[str, ...]
) -> tuple[nn.Module, list[str]]:
    """Load the weights, directly into fewer bits where the method wants them: into four only on a GPU."""
    make = _maker(folder, job, options)
    if make is None:
        return _from_pretrained(folder, job, options, dense)
    dtype = dtype_of(job.placement)
    try:
        missing = load_by_tensor(skeleton, folder, make, device=job.placement.device, dtype=dtype, keep=dense)
    except ValueError:  # a buffer that only the library knows how to make
        module, missing = _from_pretrained(folder, job, options, dense)
        if options.fp8:
            _round_layers(module, dense, dtype)
        return module, missing
    if options.four_bit:
        skeleton.is_loaded_in_4bit = True  # type: ignore[assignment]  # PEFT asks
    return skeleton.eval(), missing


def _maker(folder: Path, job: Job, options: NetworkOptions) -> Make | None:
    """Return what makes a layer in fewer bits; None where the library loads the network."""
    if options.fp8:
        return fp8_layer
    plain = quantised_as(read_config(folder, job.model.id)) is None
    return nf4_layer if options.four_bit and job.placement.device != "cpu" and plain else None


def _round_layers(module: nn.Module, dense: tuple[str, ...], dtype: torch.dtype) -> None:
    """Put layers in fp8 in the place of the plain ones of a network that is loaded."""
    for name, child in list(module.named_modules()):
        if type(child) is nn.Linear and not _is_inside(name, dense):
            module.set_submodule(name, fp8_layer(child, child.weight.detach(), dtype))


def _is_inside(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _from_pretrained(
    folder: Path, job: Job, options: NetworkOptions, dense: tuple[str, ...]
) -> tuple[nn.Module, list[str]]:
    """Load the weights as transformers does; the modules named `dense` are not quantised."""
    config = configuration(folder, job)
    arguments: dict[str, Any] = {}
    if options.four_bit and getattr(config, "quantization_config", None):  # in four bits already, but for the head
        config.quantization_config = {**config.quantization_config, "llm_int8_skip_modules": list(dense)}
    elif options.four_bit:
        arguments["quantization_config"] = _nf4(job.placement, dense)
    if options.four_bit or job.placement.device != "cpu":
        arguments["device_map"] = {"": job.placement.device}
    with quiet():
        module, info = _auto_class(job).from_pretrained(
            folder,
            config=config,
            dtype=dtype_of(job.placement),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # a checkpoint's own head for other labels is replaced
            output_loading_info=True,
            **NO_ADAPTER,
            **arguments,
        )
    if options.four_bit and job.placement.device == "cpu":
        _keep_packing(module)
    missing = set(info["missing_keys"]) | {entry[0] for entry in info["mismatched_keys"]}
    return module, sorted(missing)


def _keep_packing(module: nn.Module) -> None:
    """Keep bitsandbytes from packing weights anew at the first validation, where the processor has AVX512-BF16.

    Its version 0.50 never packs them back for training: the packed layer computes in bfloat16 and has no backward
    pass, so that the next training step, or a layer with a bias, fails.
    """
    for child in module.modules():
        if hasattr(child, "support_avx512bf16_for_cpu"):
            child.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def from_library(
    kind: "type[_BaseAutoModelClass]", folder: Path, placement: Placement, **more: object
) -> "PreTrainedModel":
    """Load a frozen network as transformers has it, for inference: safetensors only, no remote code, no download.

    Args:
        kind: one of transformers' `AutoModel...` classes.
        folder: where the network is.
        placement: its device and number type.
        more: other arguments of `from_pretrained`.

    """
    if placement.device != "cpu":
        attend_without_plans()
    with quiet():
        module = kind.from_pretrained(
            folder,
            dtype=dtype_of(placement),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **NO_ADAPTER,
            **more,
        )
    frozen: PreTrainedModel = module.to(placement.device).eval()
    return frozen


class quiet:
    """Hides the loading report of transformers: a new head is intended, and the record names it."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._level = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)


def _nf4(placement: Placement, dense: tuple[str, ...]) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype_of(placement),
        # Without this a freshly made head is quantised too, and fails in its first forward pass.
        llm_int8_skip_modules=list(dense),
    )


def _refuse_other_layers(skeleton: nn.Module, head_names: tuple[str, ...], why: str) -> None:
    """Refuse fewer bits where no layer would be quantised: `nn.Linear` alone is."""
    if not any(isinstance(skeleton.get_submodule(name), nn.Linear) for name in stack_linears(skeleton, head_names)):
        raise Unavailable(
            f"the architecture `{_model_type(skeleton)}` keeps its layers in a form that {why}; use lora or full"
        )


def _refuse_odd_layers(skeleton: nn.Module, dense: tuple[str, ...]) -> None:
    """Refuse fp8 where a layer has widths that matrix units do not take."""
    for name, child in skeleton.named_modules():
        if isinstance(child, nn.Linear) and not _is_inside(name, dense) and not fits(child):
            raise Unavailable(
                f"products in fp8 need widths that are multiples of {MULTIPLE}; `{name}` goes from {child.in_features} "
                f"to {child.out_features}. Use lora, or a model of other widths"
            )


def _model_type(module: nn.Module) -> str:
    config: Any = module.config
    return str(config.model_type)


def _refuse_holes(skeleton: nn.Module, head_names: tuple[str, ...], missing: Sequence[str], job: Job) -> None:
    """Refuse a checkpoint that lacks weights of a layer; drawn at random, they would be taken for pretrained ones.

    The output layer of a language model is one of them, unless its weight is the embedding's.
    """
    stacks = [f"{name}." for name, child in skeleton.named_modules() if isinstance(child, nn.ModuleList)]
    stacks += [f"{name}." for name in dense_names(skeleton, ())]
    heads = tuple(f"{name}." for name in head_names)
    holes = [name for name in missing if name.startswith(tuple(stacks)) and not name.startswith(heads)]
    if holes:
        raise UserError(
            f"model `{job.model.id}`: its weights lack {len(holes)} tensors of its layers, among them `{holes[0]}`, "
            "or have them in other shapes; save or download it again"
        )


def _refuse_narrow_layers(skeleton: nn.Module, dense: tuple[str, ...]) -> None:
    """Refuse four bits where bitsandbytes would compute with other weights than were loaded.

    On a CPU its version 0.50 unpacks row by row and starts a new block with each row, while blocks continue across
    rows. Unless rows fill whole blocks, 20 to 80 % of the weights are wrong, without a warning. GPUs are not affected.
    """
    for name, child in skeleton.named_modules():
        if isinstance(child, nn.Linear) and not name.startswith(dense) and child.in_features % _NF4_BLOCK:
            raise Unavailable(
                f"on a CPU, bitsandbytes holds a layer in four bits only where its inputs are a multiple of "
                f"{_NF4_BLOCK}; `{name}` has {child.in_features}. Use lora, a GPU, or a model of another width"
            )


def _draw_new_weights(module: nn.Module, missing: Sequence[str], seed: int) -> None:
    """Draw new weights as the Hugging Face models do: matrices normal, biases zero, norms one.

    They are drawn on the CPU and in the order of their names, so that they do not depend on method or device.
    """
    config: Any = module.config
    spread = float(getattr(config, "initializer_range", None) or 0.02)
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name in missing:
            if name not in parameters:
                continue
            tensor = parameters[name]
            if tensor.dim() > 1:
                drawn = torch.normal(0.0, spread, tuple(tensor.shape), generator=generator)
                tensor.copy_(drawn.to(tensor.dtype))
            else:
                tensor.fill_(0.0 if name.endswith("bias") else 1.0)


def unpacked_parameters(module: nn.Module) -> int:
    """Count all parameters, 4-bit weights by the numbers that they hold (two in a byte).

    PEFT keeps the original head beside its trained copy. The original computes nothing and is not counted.
    """
    total = 0
    for name, parameter in module.named_parameters():
        if ".original_module." in name:
            continue
        state = getattr(parameter, "quant_state", None)
        total += state.shape.numel() if state is not None else parameter.numel()
    return total


_NF4_BYTES = 0.5 + 1 / _NF4_BLOCK + 4 / (_NF4_BLOCK * 256)
"""Of a weight in NF4: four bits, its share of a scale in one byte, and of that scale's own (arXiv 2305.14314)."""

_SCALE_BYTES = 4
"""Of a row in fp8: one number in float32."""


def weight_bytes(network: Network, options: NetworkOptions) -> float:
    """Return the bytes of a network's weights on the device. The network may be a skeleton without weights."""
    total = float(sum(value.numel() * value.itemsize for value in network.module.parameters()))
    for name in network.linear_names if options.four_bit or options.fp8 else ():
        weight = network.module.get_submodule(name).weight
        assert isinstance(weight, torch.Tensor)
        kept = _NF4_BYTES if options.four_bit else 1 + _SCALE_BYTES / weight.shape[1]
        total -= weight.numel() * (weight.itemsize - kept)
    return total


def trainable_parameters(module: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
