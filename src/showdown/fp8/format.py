"""The format e4m3 (Micikevicius et al. 2022, arXiv 2209.05433): four bits of exponent, three of mantissa."""

import torch

E4M3 = torch.float8_e4m3fn
LARGEST = 448.0
SMALLEST_TOP = 1e-30
"""Stands for the largest value of a row of zeros."""
MULTIPLE = 16
"""Of which both widths of a weight must be multiples: what matrix units take."""
