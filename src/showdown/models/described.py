"""A pretrained model by its configuration and tokenizer alone: weights need not be there."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from showdown.core.errors import UserError
from showdown.core.spec import ModelSpec
from showdown.models.folder import is_tokenizer_file, read_config
from showdown.models.source import locate, locate_description

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}


@dataclass(frozen=True, kw_only=True)
class DescribedModel:
    """Where a model's description is, read when it is first needed."""

    name: str
    """In messages."""
    place: Path
    """Its folder, or a configuration alone (`something.json`)."""
    chat_template: str | None = None
    """In place of the template in the folder."""

    @classmethod
    def of(cls, spec: ModelSpec, *, weights: bool = True) -> Self:
        """Find a model.

        Args:
            spec: which one.
            weights: whether its weights must be there too, and whole; those of a hub are then downloaded.

        Raises:
            UserError: as `locate`, or where nothing describes it.

        """
        place = locate(spec) if weights else locate_description(spec)
        return cls(name=spec.id, place=place, chat_template=spec.chat_template)

    @property
    def architecture(self) -> str:
        """Return its `model_type`, as it is written."""
        return str(self.written.get("model_type"))

    @cached_property
    def written(self) -> dict[str, Any]:
        """Return its configuration as it is written."""
        if self.place.is_dir():
            return read_config(self.place, self.name)
        try:
            found = json.loads(self.place.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise UserError(f"model `{self.name}`: not JSON; give the `config.json` of a model") from error
        if not isinstance(found, dict):
            raise UserError(f"model `{self.name}`: no JSON object; give the `config.json` of a model")
        return found

    @cached_property
    def config(self) -> "PretrainedConfig":
        """Return its configuration as transformers reads it.

        Raises:
            UserError: for an architecture that this transformers does not have, or values that it cannot read.

        """
        from transformers import CONFIG_MAPPING

        if self.architecture not in CONFIG_MAPPING:
            raise UserError(
                f"model `{self.name}`: its configuration names the architecture `{self.architecture}`, which this "
                "transformers does not have, and code that comes with a model is never run; give another model"
            )
        try:
            found: PretrainedConfig = CONFIG_MAPPING[self.architecture].from_dict(dict(self.written))
        except Exception as error:  # the library raises whatever it meets
            why = " ".join(str(error).split())[:200]
            raise UserError(f"model `{self.name}`: its configuration cannot be read ({why}); download it again") from (
                error
            )
        return found

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase | None":
        """Return its tokenizer; None where no file of one is there.

        Raises:
            UserError: as `load_tokenizer`.

        """
        from showdown.models.tokens import load_tokenizer

        if not self.place.is_dir() or not any(map(is_tokenizer_file, self.place.iterdir())):
            return None
        return load_tokenizer(self.place, self.chat_template)

    @property
    def stored_bytes_per_weight(self) -> float:
        """Return the bytes of a weight on the disk, as the configuration says; 2 where it does not say."""
        named = self.written.get("dtype") or self.written.get("torch_dtype")
        return _BYTES.get(str(named), 2.0)
