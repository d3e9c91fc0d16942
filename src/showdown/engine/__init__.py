"""The engine: forward passes and optimizer steps, as fast and with as little memory as the hardware allows.

The results are those of plain PyTorch. The engine knows nothing of data, methods or protocols.

- `forward` turns token ids into logits: `decoder/` and `encoder/` without padding, or the library's own forward pass.
- `language/` holds what language models need beside that: output layer, loss in chunks, and writing by the library.
- `accumulate` and `graphs/` compute gradients, one kernel after another or from CUDA graphs.
- `optim/` steps the weights.
- `budget` chooses micro-batch size and activation checkpointing for a memory budget.
- `kernels/` holds the Triton kernels and imports nothing of the above.
"""
