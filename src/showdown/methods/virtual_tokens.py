"""The base of the methods that put learned virtual tokens to every text, and train nothing of the backbone.

Virtual tokens stand before the text of a decoder, which reads from left to right, and behind that of an encoder, whose
first token makes the answer (`docs/decisions/0013-virtual-tokens.md`).
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field

from showdown.core.errors import Unavailable, UserError
from showdown.core.method import MethodSettings, NetworkOptions, TunedMethod
from showdown.core.network import NetworkParts
from showdown.core.parameter_group import ParameterGroup
from showdown.methods.parts import head_parameters, learning_parameters
from showdown.methods.peft import IMPORTS, OPENING, WEIGHTS, PeftSettings

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from torch import nn
    from transformers import PreTrainedModel

    from showdown.models.companions import Usage
    from showdown.models.virtual_tokens import VirtualEmbedding

_FILE = "trained.safetensors"
_LEARNED = ".virtual"
"""The end of the name of learned vectors in a file; what comes before it is the module's."""
_LEAST_TEXT = 8
"""Positions that must be left to a text: the least that `protocol.max_tokens` may be."""
_IMPORTS = """from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForTask, AutoTokenizer"""
_OPENING = """config = AutoConfig.from_pretrained(base)
config.id2label = dict(enumerate(labels))
config.label2id = {{label: index for index, label in enumerate(labels)}}
config.pad_token_id = tokenizer.pad_token_id
model = AutoModelForTask.from_pretrained(base, config=config, ignore_mismatched_sizes=True)
learned = load_file(folder + "/{file}")
model.load_state_dict(learned, strict=False)
model.eval()
# Each text gets {count} more tokens, {where} it. What these layers give for them was learned.
for name in [name for name in learned if name.endswith("{ending}")]:
    def put(layer, given, found, values=learned[name]):
        values = values.expand(len(found), -1, -1)
        return torch.cat([{parts}], dim=1)
    model.get_submodule(name.removesuffix("{ending}")).register_forward_hook(put)"""
_SCORING = """    rows = [ids[mask.bool()] for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"])]
    longer = [torch.cat([{parts}])[None] for row in rows]
    scores = torch.cat([model(input_ids=ids).logits.softmax(-1) for ids in longer])"""


class VirtualTokensSettings(PeftSettings):
    """Settings of every method with virtual tokens."""

    tokens: int = Field(default=20, ge=1)
    """Virtual tokens that every text gets. They take positions of the model, time and memory as other tokens do.
    Beyond 20 the prompt tuning paper gains little (section 3.2), and P-tuning v2 finds fewer best for simple
    classification (section 4.3)."""


class VirtualTokensMethod(TunedMethod):
    """Trains vectors of virtual tokens, and the head.

    A method puts its modules into the network (`put_into`), and says how many numbers they learn (`learned_numbers`).
    """

    Settings: ClassVar[type[MethodSettings]] = VirtualTokensSettings
    leaves_network: ClassVar[bool] = True
    head_rate_scale: ClassVar[float] = 0.1
    """Of the head's rate: ten times the rate of full fine-tuning where `rate_factor` is 100, as LoRA's is."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings)
        self._head: dict[str, torch.Tensor] = {}
        """The head's parameters as they were before training, on the CPU, for `strip`."""
        self._task_type = ""
        """What PEFT calls the task of the network that was adapted."""

    @property
    def options(self) -> NetworkOptions:
        """Load the base as the settings say."""
        return NetworkOptions(fp8=self.settings.base == "fp8")

    @property
    def virtual_tokens(self) -> int:
        """As the settings say."""
        return int(self.settings.tokens)

    def unsupported_reason(self) -> str | None:
        """Return why this machine has no products in fp8, where the base is held so."""
        from showdown.fp8.machine import missing_reason

        return missing_reason() if self.options.fp8 else None

    @abstractmethod
    def put_into(self, network: NetworkParts, *, behind: bool, start: bool) -> None:
        """Replace modules of the network by those that give learned vectors for virtual tokens.

        Args:
            network: whose parameters are all frozen.
            behind: whether virtual tokens stand behind the text.
            start: whether vectors begin as the method says; otherwise they are about to be loaded, and none of them is
                made by others.

        """

    @abstractmethod
    def learned_numbers(self, network: NetworkParts) -> int:
        """Return how many numbers learn besides the head, from shapes.

        Raises:
            Unavailable: when the method cannot work on this network.

        """

    @abstractmethod
    def peft_adapter(self, module: "PreTrainedModel") -> "tuple[PeftConfig, torch.Tensor]":
        """Return PEFT's configuration of a decoder's adapter, without the task, and its tensor."""

    def adapt(self, network: NetworkParts) -> "nn.Module":
        """Put virtual tokens into the network, and train them and the head alone.

        Raises:
            UserError: when the model has too few positions.
            Unavailable: when the method cannot work on this network.

        """
        return self._adapted(network, start=True)

    def _adapted(self, network: NetworkParts, *, start: bool) -> "nn.Module":
        self.learned_numbers(network)
        module: Any = network.module
        self._task_type = network.peft_task_type
        head = learning_parameters(network, network.head_names)
        module.requires_grad_(False)
        self._head = {name: value.detach().to("cpu", copy=True) for name, value in head.items() if not value.is_meta}
        self.put_into(network, behind=not _reads_to_the_right(network), start=start)
        for value in head.values():
            value.requires_grad_(True)
        return network.module

    def declared_parameters(self, network: NetworkParts) -> int:
        """Return the numbers of the virtual tokens and of the head."""
        return self.learned_numbers(network) + head_parameters(network)

    def require_room(self, network: NetworkParts) -> None:
        """Refuse more virtual tokens than leave a text room, and networks that virtual tokens cannot go to.

        Raises:
            UserError: when the model has too few positions.
            Unavailable: for a network with an encoder and a decoder, or one that reads token ids beside its embedding.

        """
        from showdown.models.padding import PADDING_COUNTS
        from showdown.models.tokens import positions_of

        module: Any = network.module
        kind = module.config.model_type
        if module.config.is_encoder_decoder or kind in (*PADDING_COUNTS, *_READ_IDS):
            raise Unavailable(
                f"virtual tokens go to networks that read one row of embeddings, and `{kind}` reads more of a text; "
                "use lora, or another model (BERT, RoBERTa, Llama, Mistral, Qwen, Gemma)"
            )
        positions = positions_of(module.config)
        if positions is not None and positions < self.virtual_tokens + _LEAST_TEXT:
            raise UserError(
                f"`tokens` is {self.virtual_tokens:,}, and this model has {positions:,} positions, of which a text "
                f"needs {_LEAST_TEXT} at least; take at most {max(1, positions - _LEAST_TEXT):,}"
            )

    def parameter_groups(self, module: "nn.Module") -> list[ParameterGroup]:
        """Return the default groups: vectors of virtual tokens do not decay, and the head has its own rate.

        A virtual token is a vector, though PyTorch holds all of them as a matrix.
        """
        groups = []
        for group in super().parameter_groups(module):
            head = tuple(name for name in group.names if name in self._head_names(module))
            vectors = tuple(name for name in group.names if name not in head)
            groups += [
                replace(group, names=vectors, decay_scale=0.0),
                replace(group, names=head, rate_scale=self.head_rate_scale),
            ]
        return groups

    @staticmethod
    def _head_names(module: "nn.Module") -> set[str]:
        from showdown.models.virtual_tokens import learned_modules

        inside = {id(value) for _, child in learned_modules(module) for value in child.parameters()}
        return {name for name, value in module.named_parameters() if id(value) not in inside}

    def strip(self, module: "nn.Module") -> "nn.Module":
        """Take the virtual tokens out again, and restore the head."""
        from showdown.models.virtual_tokens import learned_modules

        for name, child in list(learned_modules(module)):
            module.set_submodule(name, child.inner)
        parameters = dict(module.named_parameters())
        for name, start in self._head.items():
            parameters[name].data.copy_(start)
            parameters[name].grad = None
        self._head = {}
        return module

    def save(self, module: "nn.Module", folder: Path) -> None:
        """Write the learned vectors and the head as safetensors; of a decoder in PEFT's own layout, too."""
        from safetensors.torch import save_file

        from showdown.models.virtual_tokens import virtual_embedding

        learned = _learned(module)
        save_file(learned, folder / _FILE)
        embedding = virtual_embedding(module)
        assert embedding is not None, "`adapt` put it there"
        if embedding.behind:
            return
        config, tensor = self.peft_adapter(cast("PreTrainedModel", module))
        config.task_type = self._task_type
        config.save_pretrained(str(folder))
        head = {f"base_model.{name}": value for name, value in learned.items() if not name.endswith(_LEARNED)}
        save_file(head | {"prompt_embeddings": tensor.detach().float().contiguous()}, folder / WEIGHTS)

    def usage(self, module: "nn.Module") -> "Usage":
        """Return how others open it: plain PEFT where it writes, and otherwise transformers with a hook a layer."""
        from showdown.models.companions import Usage
        from showdown.models.virtual_tokens import virtual_embedding

        embedding = virtual_embedding(module)
        assert embedding is not None, "`adapt` put it there"
        if module.can_generate():  # type: ignore[operator]
            return Usage(imports=IMPORTS, opening=OPENING)
        count, behind = embedding.count, embedding.behind
        opening = _OPENING.format(
            file=_FILE,
            ending=_LEARNED,
            count=count,
            where="behind" if behind else "before",
            parts=f"found[:, :-{count}], values" if behind else f"values, found[:, {count}:]",
        )
        more = f"row[:1].expand({count})"
        scoring = _SCORING.format(parts=f"row, {more}" if behind else f"{more}, row")
        return Usage(imports=_IMPORTS, opening=opening, scoring=scoring)

    def reload(self, folder: Path, load_network: Callable[[Path | None], NetworkParts]) -> "nn.Module":
        """Load the pretrained network again, and put what was saved into it.

        Raises:
            ValueError: when the file lacks a tensor, has one too many, or one of another shape.

        """
        from safetensors.torch import load_file

        saved = load_file(folder / _FILE)
        module = self._adapted(load_network(None), start=False)
        learning = {name: value for name, value in module.named_parameters() if value.requires_grad}
        unlike = sorted(saved.keys() ^ learning.keys())
        unlike += [name for name in saved.keys() & learning.keys() if saved[name].shape != learning[name].shape]
        if unlike:
            raise ValueError(f"{_FILE} does not fit this method and model, for one at {unlike[0]}")
        for name, value in learning.items():
            value.data.copy_(saved[name])
        return module.requires_grad_(False)


_READ_IDS = ("gemma3n", "gemma3n_text", "gemma4", "gemma4_text")
"""transformers' `model_type` of networks that look token ids up in every layer."""


def _reads_to_the_right(network: NetworkParts) -> bool:
    """Return whether a network is a decoder: a language model, or a classifier that is pooled at the last token."""
    return network.peft_task_type == "CAUSAL_LM" or hasattr(network.module, "score")


def put_embedding(
    network: NetworkParts, virtual: "nn.Parameter | None", *, count: int, behind: bool
) -> "VirtualEmbedding":
    """Surround the network's embedding, and return what surrounds it.

    Args:
        network: whose embedding it is.
        virtual: the embeddings of virtual tokens; None where they do not matter.
        count: how many virtual tokens there are.
        behind: whether they stand behind the text.

    """
    from showdown.models.virtual_tokens import VirtualEmbedding

    module: Any = network.module
    embedding = embedding_of(network)
    (name,) = [name for name, child in module.named_modules() if child is embedding]
    surrounded = VirtualEmbedding(embedding, virtual, count=count, behind=behind)
    module.set_submodule(name, surrounded)
    return surrounded


def embedding_of(network: NetworkParts) -> Any:
    """Return the network's input embedding.

    Raises:
        Unavailable: when it is not a table with a row for each token.

    """
    from torch import nn

    module: Any = network.module
    try:
        found = module.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        found = None
    if not isinstance(found, nn.Embedding):
        raise Unavailable(
            f"`{module.config.model_type}` has no table of embeddings that virtual tokens could be put into; use lora"
        )
    return found


def sampled_words(network: NetworkParts, count: int) -> "torch.Tensor":
    """Return so many token ids of the network's vocabulary, drawn at random: shape (count,)."""
    import torch

    weight = embedding_of(network).weight
    return torch.randint(0, weight.shape[0], (count,), device="cpu").to(weight.device)


def _learned(module: "nn.Module") -> dict[str, "torch.Tensor"]:
    """Return the head's tensors by name, and the learned vectors of each module as they are used."""
    from showdown.models.virtual_tokens import learned_modules

    inside = {id(value) for _, child in learned_modules(module) for value in child.parameters()}
    found = {
        name: value.detach()
        for name, value in module.named_parameters()
        if value.requires_grad and id(value) not in inside
    }
    for name, child in learned_modules(module):
        values = child.values()
        if values is not None:
            found[f"{name}{_LEARNED}"] = values.detach()
    return {name: value.contiguous() for name, value in found.items()}
