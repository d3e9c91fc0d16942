"""Triton kernels: tensors in, tensors out. They import nothing of the engine above them."""
