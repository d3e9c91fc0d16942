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
    """Of allocated memory of one device while training; None on a CPU, where nothing is counted."""
    gradients_stay: bool = False
    """Whether a GPU has room to keep all gradients from step to step."""

    devices: int = 1
    """Devices that train the run together: GPUs, or processes on a CPU."""
    divided: bool = False
    """Whether the large weights are divided among them and gathered by layer; otherwise each has all of them while it
    computes."""

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
            *([self.devices_words] if self.devices > 1 else []),
            *([] if self.expected_peak_gb is None else [f"expected peak {self.expected_peak_gb:.3g} GB"]),
        ]
        return f"memory `{requested}`: {', '.join(parts)}"

    @property
    def devices_words(self) -> str:
        """Say how many devices train the run, as part of a sentence."""
        return f"{self.devices} devices together" + (", weights divided among them" if self.divided else "")
