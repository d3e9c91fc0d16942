"""Forward and backward passes replayed from CUDA graphs."""
