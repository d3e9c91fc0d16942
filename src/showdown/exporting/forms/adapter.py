"""The adapter as PEFT reads it: its layers and the head, without the base."""

import json
import re
from pathlib import Path
from typing import Any, ClassVar

from showdown.core.artifact import MODEL_FILE
from showdown.core.errors import UserError
from showdown.core.files import read_file, write_bytes, write_json
from showdown.core.manifest import write_sizes
from showdown.core.metric import GENERATION
from showdown.core.predictor import Predictor
from showdown.exporting.form import Form, Shipped
from showdown.exporting.source import Source
from showdown.models.companions import CARD
from showdown.models.folder import ADAPTER_CONFIG
from showdown.stages.artifact import open_predictor

WEIGHTS = "adapter_model.safetensors"
_LEFT = frozenset({"manifest.json", CARD})
"""Files of a saved model that are written anew."""
_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


class Adapter(Form):
    """What the arm saved, in PEFT's own layout."""

    title: ClassVar[str] = "PEFT adapter"
    summary: ClassVar[str] = "the adapter alone, as PEFT and vLLM read it; the base is loaded beside it"

    def refusal(self, source: Source) -> str | None:
        """Refuse a model that is no adapter."""
        return None if (source.artifact / ADAPTER_CONFIG).is_file() else "has no adapter"

    def write(self, source: Source, folder: Path) -> Shipped:
        """Copy the adapter and what lies beside it; layers that no list names are null, as vLLM wants them."""
        for path in sorted(source.artifact.iterdir()):
            if path.name not in _LEFT and path.is_file():
                write_bytes(folder / path.name, read_file(path))
        config = json.loads(read_file(folder / ADAPTER_CONFIG))
        config["modules_to_save"] = config.get("modules_to_save") or None
        write_json(folder / ADAPTER_CONFIG, config)
        description = read_file(folder / MODEL_FILE)
        (folder / MODEL_FILE).unlink()
        write_sizes(folder)
        write_bytes(folder / MODEL_FILE, description)
        return Shipped(code=_code(source), library="peft", notes=(_vllm(source, config),))

    def open(self, source: Source, folder: Path) -> Predictor:
        """Open the base with the copied adapter."""
        return open_predictor(source.spec, source.job.labels, folder)


def _code(source: Source) -> str:
    """Return the code that stands in the card of the saved model.

    Raises:
        UserError: where it has none.

    """
    card = source.artifact / CARD
    try:
        return str(_CODE.findall(read_file(card).decode("utf-8"))[0]).rstrip()
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{card} has no code in Python; run the comparison again in a new folder") from error


def _vllm(source: Source, config: dict[str, Any]) -> str:
    """Return whether vLLM serves the adapter beside its base, and if not, why.

    Source: `PEFTHelper` in vllm/lora/peft_helper.py, and docs.vllm.ai, "LoRA Adapters".
    """
    against = []
    if source.job.task.name != GENERATION:
        against.append("it has a head of labels")
    elif config["modules_to_save"]:
        against.append("it trains whole layers beside the adapter")
    if config.get("peft_type") != "LORA":
        against.append("it is no LoRA")
    if config.get("use_dora"):
        against.append("it is DoRA")
    if against:
        return f"vLLM does not serve this adapter, since {' and '.join(against)}"
    return f"vLLM serves it beside its base: `vllm serve BASE --enable-lora --max-lora-rank {_rank(config)} \
--lora-modules {source.record.name}=FOLDER`"


def _rank(config: dict[str, Any]) -> int:
    """Return the least of the ranks that vLLM knows which holds the adapter's."""
    rank = int(config["r"])
    return next((one for one in (8, 16, 32, 64, 128, 256, 320, 512) if one >= rank), rank)
