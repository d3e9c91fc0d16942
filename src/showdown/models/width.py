"""The width of a network, wherever its configuration keeps it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def width_of(config: "PretrainedConfig") -> int:
    """Return the width of the hidden states; of the text tower where a model also sees pictures.

    Raises:
        ValueError: when the configuration names none.

    """
    text = config.get_text_config()
    for name in ("hidden_size", "d_model", "n_embd", "dim"):
        if getattr(text, name, None):
            return int(getattr(text, name))
    raise ValueError(f"the configuration of `{config.model_type}` names no width")
