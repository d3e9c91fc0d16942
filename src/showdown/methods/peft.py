"""The base of all methods whose adapter layers PEFT puts into the network."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from showdown.core.method import MethodSettings, NetworkOptions, TunedMethod, TunedSettings
from showdown.core.network import NetworkParts
from showdown.core.strict import added_later
from showdown.methods.parts import head_parameters

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig

    from showdown.models.companions import Usage

IMPORTS = """from peft import AutoPeftModelForTask
from transformers import AutoTokenizer"""
OPENING = """model = AutoPeftModelForTask.from_pretrained(
    folder,
    id2label=dict(enumerate(labels)),
    label2id={label: index for index, label in enumerate(labels)},
    num_labels=len(labels),
    pad_token_id=tokenizer.pad_token_id,
).eval()"""
_ROUNDED = """
# It was trained over linear layers in fp8, which round weights and inputs. The plain base below answers almost alike.
"""
WEIGHTS = "adapter_model.safetensors"


class PeftSettings(TunedSettings):
    """Settings of every method whose base is frozen."""

    base: Literal["plain", "fp8"] = added_later("plain")
    """How the frozen layers are held: in the compute type, or in `fp8`, which halves their memory and multiplies about
    1.6 times as fast, on a GPU of compute capability 8.9 or above. Their inputs are rounded to fp8 too."""


class PeftMethod(TunedMethod):
    """Trains adapter layers in a frozen backbone, and the head.

    A method returns its PEFT configuration (`config`) and the number of parameters of its adapters
    (`adapter_parameters`). Adding, saving, loading and removing adapters are the same for all.
    """

    Settings: ClassVar[type[MethodSettings]] = PeftSettings
    leaves_network: ClassVar[bool] = True

    @property
    def options(self) -> NetworkOptions:
        """Load the base as the settings say."""
        return NetworkOptions(fp8=self.settings.base == "fp8")

    def unsupported_reason(self) -> str | None:
        """Return why this machine has no products in fp8, where the base is held so."""
        from showdown.fp8.machine import missing_reason

        return missing_reason() if self.options.fp8 else None

    @abstractmethod
    def config(self, network: NetworkParts) -> "PeftConfig":
        """Return PEFT's configuration, with target modules by their whole names.

        PEFT's own shorthands also match BERT's pooler. `task_type` and `modules_to_save` are filled in.

        Args:
            network: whose `linear_names` adapters may go to; `showdown.methods.parts` finds them by role.

        Raises:
            UserError: when a setting names a layer that the network does not have.
            Unavailable: when the network has no layer that the method can adapt.

        """

    @abstractmethod
    def adapter_parameters(self, network: NetworkParts) -> int:
        """Return the number of parameters that are trainable besides the head, computed from shapes."""

    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Wrap the network with PEFT, which puts the adapter layers into it.

        Raises:
            UserError: when a setting names a layer that the network does not have.
            Unavailable: when the network has no layer that the method can adapt.

        """
        from peft import get_peft_model

        config: Any = self.config(network)
        config.task_type, config.modules_to_save = network.peft_task_type, list(network.head_names)
        adapted: Any = get_peft_model(network.module, config)
        for name in network.idle_names:  # PEFT finds heads by the ends of their names
            adapted.get_base_model().get_submodule(name).requires_grad_(False)
        module: torch.nn.Module = adapted
        return module

    def declared_parameters(self, network: NetworkParts) -> int:
        """Return the number of parameters of the adapters and the head."""
        return self.adapter_parameters(network) + head_parameters(network)

    def strip(self, module: Any) -> "torch.nn.Module | None":
        """Remove the adapters, and the trained copy of the head, which PEFT would leave in place of the original."""
        inner = module.get_base_model()
        heads = {
            name: child.original_module for name, child in inner.named_modules() if hasattr(child, "original_module")
        }
        base: torch.nn.Module = module.unload()
        for name, head in heads.items():
            base.set_submodule(name, head)
        if hasattr(base, "peft_config"):
            del base.peft_config
        return base

    def save(self, module: Any, folder: Path) -> None:
        """Write adapters and head as safetensors, in PEFT's own layout."""
        module.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)

    def usage(self, module: "torch.nn.Module") -> "Usage":
        """Return how plain PEFT opens it; the labels are passed, since the base has none or others."""
        from showdown.models.companions import Usage

        return Usage(imports=IMPORTS, opening=(_ROUNDED if self.options.fp8 else "") + OPENING)

    def reload(self, folder: Path, load_network: Callable[[Path | None], NetworkParts]) -> "torch.nn.Module":
        """Load the pretrained network again, add new adapters, and fill them and the head with what was saved.

        PEFT's own loading would read a pickle where the safetensors file is missing, and take its configuration from a
        file that somebody else may have written.

        Raises:
            ValueError: when the file lacks a weight, or has one too many.

        """
        from safetensors.torch import load_file

        saved = load_file(folder / WEIGHTS)  # before the network, which takes longer
        return filled(self.adapt(load_network(None)), saved)


def filled(module: "torch.nn.Module", saved: "Mapping[str, torch.Tensor]") -> "torch.nn.Module":
    """Return PEFT's model with its adapters and its head filled with what was saved; nothing of it learns any more.

    Raises:
        ValueError: when a weight is missing, or there is one too many.

    """
    from peft.utils import set_peft_model_state_dict

    learned = {name for name, value in module.named_parameters() if value.requires_grad}
    module.requires_grad_(False)
    found = set_peft_model_state_dict(module, saved)
    lost = [*found.unexpected_keys, *(name for name in found.missing_keys if name in learned)]
    if lost:
        raise ValueError(f"{WEIGHTS} does not fit this method and model, for one at {lost[0]}")
    return module
