"""The memory settings of a run: what `protocol.memory` comes to on its device."""

from showdown.core.strict import Strict


class MemorySettings(Strict):
    """Micro-batch, activation checkpointing and where the optimizer steps."""

    micro_batch_rows: int
    """The most rows of a forward pass."""
    micro_batch_tokens: int | None = None
    """The most tokens of a forward pass; None where rows alone count."""
    recompute: bool
    """Whether layers are recomputed in the backward pass (activation checkpointing)."""
    step_in_backward: bool = False
    """Whether the optimizer steps inside the backward pass."""
    expected_peak_gb: float | None = None
    """Of allocated memory while training; None on a CPU, where nothing is counted."""
    gradients_stay: bool = False
    """Whether a GPU has room to keep all gradients from step to step."""

    def sentence(self, requested: object) -> str:
        """Describe the settings in a line.

        Args:
            requested: the value of `protocol.memory`.

        """
        packed = self.micro_batch_tokens is not None
        tokens = f" of at most {self.micro_batch_tokens:,} tokens together" if packed else ""
        on_host = ", their inputs in the host's memory" if packed else ""
        parts = [
            f"micro-batch at most {self.micro_batch_rows} rows{tokens}",
            f"layers recomputed in the backward pass{on_host}" if self.recompute else "no recomputation",
            *(["step inside the backward pass"] if self.step_in_backward else []),
            *([] if self.expected_peak_gb is None else [f"expected peak {self.expected_peak_gb:.3g} GB"]),
        ]
        return f"memory `{requested}`: {', '.join(parts)}"
