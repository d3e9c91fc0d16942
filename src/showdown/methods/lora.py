"""LoRA (arXiv 2106.09685): low-rank adapters on the backbone's linear layers learn, and the head."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from showdown.core.errors import Unavailable, UserError, suggestion, then
from showdown.core.method import MethodSettings, TunedMethod, TunedSettings
from showdown.core.traits import Traits, fine_tuned

if TYPE_CHECKING:
    import torch


IMPORTS = """from peft import AutoPeftModelForSequenceClassification
from transformers import AutoTokenizer"""
OPENING = """model = AutoPeftModelForSequenceClassification.from_pretrained(
    folder,
    id2label=dict(enumerate(labels)),
    label2id={label: index for index, label in enumerate(labels)},
    num_labels=len(labels),
    pad_token_id=tokenizer.pad_token_id,
).eval()"""


class LoraSettings(TunedSettings):
    """Settings of LoRA and of its variants."""

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0.0)
    """Adapters are scaled by alpha / rank."""
    adapter_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    targets: Literal["all-linear"] | list[str] = "all-linear"
    """All linear layers of the backbone, or the last parts of their names (`[q_proj, v_proj]`)."""


class Lora(TunedMethod):
    """Low-rank adapters in the compute type over a frozen backbone."""

    title: ClassVar[str] = "LoRA"
    summary: ClassVar[str] = "low-rank adapters on all linear layers of the frozen backbone learn, and the head"
    Settings: ClassVar[type[MethodSettings]] = LoraSettings
    traits: ClassVar[Traits] = fine_tuned(color="orange", citation="hu2022")
    rate_factor: ClassVar[float] = 10.0
    """About ten times full fine-tuning's rate is best (arXiv 2405.09673)."""
    leaves_network: ClassVar[bool] = True
    use_dora: ClassVar[bool] = False

    def adapt(self, network: Any) -> "torch.nn.Module":
        """Wrap the network with PEFT; names are listed, since PEFT's own `all-linear` also takes BERT's pooler.

        Raises:
            UserError: when a target names no linear layer.
            Unavailable: when the backbone has no linear layers.

        """
        from peft import LoraConfig, get_peft_model
        from transformers.pytorch_utils import Conv1D

        linears = [network.module.get_submodule(name) for name in network.linear_names]
        config = LoraConfig(
            task_type="SEQ_CLS",
            fan_in_fan_out=bool(linears) and all(isinstance(linear, Conv1D) for linear in linears),
            r=self.settings.rank,
            lora_alpha=self.settings.alpha,
            lora_dropout=self.settings.adapter_dropout,
            target_modules=self._targets(network.linear_names),
            modules_to_save=list(network.head_names),
            use_dora=self.use_dora,
        )
        adapted: Any = get_peft_model(network.module, config)
        for name in network.idle_names:  # PEFT finds heads by the ends of their names
            adapted.get_base_model().get_submodule(name).requires_grad_(False)
        module: torch.nn.Module = adapted
        return module

    def _targets(self, linear_names: tuple[str, ...]) -> list[str]:
        if not linear_names:
            raise Unavailable(
                "this model keeps its layers in a form that adapters do not go to; "
                "use full, or an encoder or decoder with linear layers (BERT, RoBERTa, Llama, Mistral, Qwen, Gemma)"
            )
        if self.settings.targets == "all-linear":
            return list(linear_names)
        endings = {name.rpartition(".")[2] for name in linear_names}
        for target in self.settings.targets:
            if target not in endings:
                raise UserError(
                    f"method `{type(self).__name__.lower()}`: no linear layer `{target}`"
                    f"{then(suggestion(target, endings), 'this model has ' + ', '.join(sorted(endings)))}"
                )
        return [name for name in linear_names if name.rpartition(".")[2] in self.settings.targets]

    def strip(self, module: Any) -> "torch.nn.Module | None":
        """Take off the adapters, and the trained copies of the head, which PEFT would leave in its place."""
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

    def usage(self, module: Any) -> Any:
        """Say that plain PEFT opens it, once told the labels: a base has none of its own, or others."""
        from showdown.models.companions import Usage

        return Usage(imports=IMPORTS, opening=OPENING)

    def reload(self, folder: Path, load_network: Callable[[Path | None], Any]) -> "torch.nn.Module":
        """Load the pretrained network again, make the adapters anew and fill them and the head with what was saved.

        PEFT's own loading would take a pickle where the safetensors file is missing, and its configuration from a file
        that others may have written.

        Raises:
            ValueError: when the file lacks a weight, or has one too many.

        """
        from peft.utils import set_peft_model_state_dict
        from safetensors.torch import load_file

        saved = load_file(folder / "adapter_model.safetensors")
        module = self.adapt(load_network(None))
        module.requires_grad_(False)
        learned = {name for name, _ in module.named_parameters() if "lora_" in name or ".modules_to_save." in name}
        found = set_peft_model_state_dict(module, saved)
        lost = [*found.unexpected_keys, *(name for name in found.missing_keys if name in learned)]
        if lost:
            raise ValueError(f"adapter_model.safetensors does not fit this method and model, for one at {lost[0]}")
        return module
