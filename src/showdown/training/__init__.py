"""The one training loop, its batches, its schedule and its checkpoints."""
