"""QLoRA (arXiv 2305.14314): LoRA over a backbone held in four bits."""

import importlib.util
import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from showdown.core.method import MethodSettings, NetworkOptions
from showdown.core.strict import added_later
from showdown.core.traits import Traits, fine_tuned
from showdown.methods.lora import Lora, LoraSettings
from showdown.methods.peft import IMPORTS, OPENING

if TYPE_CHECKING:
    from showdown.models.companions import Usage

_FOUR_BITS = """four_bits = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=torch.DTYPE,
    llm_int8_skip_modules=HEADS,
)
"""
_NOT_PACKED = """
# On some CPUs bitsandbytes would compute in bfloat16, whatever the type above, and answer otherwise.
for layer in model.modules():
    if hasattr(layer, "support_avx512bf16_for_cpu"):
        layer.support_avx512bf16_for_cpu = False"""


class QloraSettings(LoraSettings):
    """Settings of LoRA over a base in four bits."""

    base: Literal["nf4"] = added_later("nf4")  # type: ignore[assignment]  # the others' are not in four bits
    """The only one; LoRA has others."""


class Qlora(Lora):
    """LoRA on a backbone in NF4 with double quantisation; the head is neither quantised nor frozen."""

    title: ClassVar[str] = "QLoRA"
    summary: ClassVar[str] = "LoRA over a backbone in four bits (NF4), where 16 do not fit; on a GPU or an x86 CPU"
    Settings: ClassVar[type[MethodSettings]] = QloraSettings
    traits: ClassVar[Traits] = fine_tuned(quantised=True, color="purple", citation="dettmers2023")

    @property
    def options(self) -> NetworkOptions:
        """Load in four bits."""
        return NetworkOptions(four_bit=True)

    def usage(self, module: Any) -> "Usage":
        """Return how plain PEFT opens it, on a base that is quantised as it was here."""
        from showdown.models.companions import Usage
        from showdown.models.network import dense_names

        heads = dense_names(module.get_base_model(), tuple(sorted(module.peft_config["default"].modules_to_save or ())))
        return Usage(
            imports=IMPORTS.replace("import AutoTokenizer", "import AutoTokenizer, BitsAndBytesConfig"),
            opening=_FOUR_BITS.replace("HEADS", json.dumps(heads)).replace(
                "DTYPE", str(module.get_base_model().dtype).removeprefix("torch.")
            )
            + OPENING.replace("    num_labels", "    quantization_config=four_bits,\n    num_labels")
            + _NOT_PACKED,
        )

    def unsupported_reason(self) -> str | None:
        """Return that bitsandbytes is missing, and how to install it."""
        if importlib.util.find_spec("bitsandbytes") is None:
            return "the package bitsandbytes is not installed; `pip install 'bitsandbytes>=0.50'`"
        return None
