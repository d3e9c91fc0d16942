"""Triton kernels: tensors in, tensors out."""
