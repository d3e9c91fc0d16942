"""How the tokens with a loss are divided into chunks, and what the loss of a language model holds while it is computed.

Nothing here needs torch: the memory plan counts with it.
"""

from dataclasses import dataclass

CHUNK_LOGITS = 2**25
"""The most logits of a chunk: 134 MB in float32."""
LOGIT_BYTES = 16
"""Of one logit of a chunk: the product in 16 bits, the logit, its logarithm and its gradient in float32, and the
gradient in 16 bits."""


def chunk_rows(rows: int, vocabulary: int) -> int:
    """Return the rows of a chunk, so that all chunks are of about one size and few have more than `CHUNK_LOGITS`."""
    chunks = max(1, -(-rows * vocabulary // CHUNK_LOGITS))
    return max(1, -(-rows // chunks))


@dataclass(frozen=True, kw_only=True)
class OutputLayer:
    """The output layer of a language model, for the count of memory."""

    vocabulary: int
    read_share: float
    """Share of the tokens of a micro-batch that the last layer computes and that may have a loss, from 0 to 1."""
    learns: bool
    """Whether its weight, which may be the embedding's, is trainable."""

    def loss_bytes(self, tokens: int, hidden: int) -> float:
        """Return what the loss of a micro-batch of so many tokens holds beside activations, while it is computed.

        Args:
            tokens: of the micro-batch.
            hidden: width of a hidden state.

        """
        rows = round(tokens * self.read_share)
        chunk = chunk_rows(rows, self.vocabulary)
        sums = 0
        if self.learns:  # the gradient of one chunk in 16 bits, and the sum of several in float32
            sums = self.vocabulary * hidden * (2 + (4 if chunk < rows else 0))
        return LOGIT_BYTES * min(chunk, rows) * self.vocabulary + sums

    def kept_bytes(self, tokens: int, hidden: int) -> float:
        """Return what is left of the loss until the backward pass is through the last layer."""
        states = 2 * 2 * hidden * tokens * self.read_share  # hidden states and their gradients, in 16 bits
        return states + (2 * self.vocabulary * hidden if self.learns else 0)
