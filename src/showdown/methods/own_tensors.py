"""The base of all methods that train some of the network's own tensors and freeze the others."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from showdown.core.method import MethodSettings, TunedMethod
from showdown.core.network import NetworkParts
from showdown.methods.parts import head_parameters, learning_parameters

if TYPE_CHECKING:
    import torch

    from showdown.models.companions import Usage

_FILE = "trained.safetensors"
_IMPORTS = """from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForTask, AutoTokenizer"""
_OPENING = f"""config = AutoConfig.from_pretrained(base)
config.id2label = dict(enumerate(labels))
config.label2id = {{label: index for index, label in enumerate(labels)}}
config.pad_token_id = tokenizer.pad_token_id
model = AutoModelForTask.from_pretrained(base, config=config, ignore_mismatched_sizes=True)
model.load_state_dict(load_file(folder + "/{_FILE}"), strict=False)
model.eval()"""


class OwnTensorsMethod(TunedMethod):
    """Trains some tensors of the backbone, and the head; both are saved and restored by name.

    A method names the tensors (`trained_names`).
    """

    leaves_network: ClassVar[bool] = True

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings)
        self._start: dict[str, torch.Tensor] = {}
        """The trainable parameters as they were loaded, on the CPU, for `strip`."""

    @abstractmethod
    def trained_names(self, network: NetworkParts) -> list[str]:
        """Return the names of the parameters that are trainable besides the head.

        Raises:
            Unavailable: when the network has none.

        """

    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Make the named tensors and the head trainable, and nothing else.

        Raises:
            Unavailable: when the network has no such tensors.

        """
        module, learning = network.module, self._learning(network)
        for name, value in module.named_parameters():
            value.requires_grad_(name in learning)
        self._keep_start(learning)
        return module

    def _keep_start(self, learning: "dict[str, torch.nn.Parameter]") -> None:
        self._start = {
            name: value.detach().to("cpu", copy=True) for name, value in learning.items() if not value.is_meta
        }

    def _learning(self, network: NetworkParts) -> "dict[str, torch.nn.Parameter]":
        named, own = dict(network.module.named_parameters()), set(self.trained_names(network))
        return {name: named[name] for name in own} | learning_parameters(network, network.head_names)

    def declared_parameters(self, network: NetworkParts) -> int:
        """Return the number of parameters in the named tensors and the head."""
        named = dict(network.module.named_parameters())
        return sum(named[name].numel() for name in self.trained_names(network)) + head_parameters(network)

    def strip(self, module: "torch.nn.Module") -> "torch.nn.Module":
        """Restore the tensors as they were loaded."""
        parameters = dict(module.named_parameters())
        for name, start in self._start.items():
            parameters[name].data.copy_(start)
            parameters[name].grad = None
        self._start = {}
        return module

    def save(self, module: "torch.nn.Module", folder: Path) -> None:
        """Write the trained tensors as safetensors."""
        from safetensors.torch import save_file

        learned = {name: value for name, value in module.named_parameters() if value.requires_grad}
        save_file({name: value.detach().contiguous() for name, value in learned.items()}, folder / _FILE)

    def usage(self, module: "torch.nn.Module") -> "Usage":
        """Return how transformers opens the base, into which the tensors are loaded."""
        from showdown.models.companions import Usage

        return Usage(imports=_IMPORTS, opening=_OPENING)

    def reload(self, folder: Path, load_network: Callable[[Path | None], NetworkParts]) -> "torch.nn.Module":
        """Load the pretrained network again and write into it what was saved.

        Raises:
            ValueError: when the file lacks a tensor, has one too many, or one of another shape.

        """
        from safetensors.torch import load_file

        saved, network = load_file(folder / _FILE), load_network(None)
        learning = self._learning(network)
        unlike = sorted(saved.keys() ^ learning.keys())
        unlike += [name for name in saved.keys() & learning.keys() if saved[name].shape != learning[name].shape]
        if unlike:
            raise ValueError(f"{_FILE} does not fit this method and model, for one at {unlike[0]}")
        self._keep_start(learning)
        for name, value in learning.items():
            value.data.copy_(saved[name])
        return network.module.requires_grad_(False)
