# mypy: disable-error-code="import-not-found,untyped-decorator,no-untyped-def"
"""32 random bits for each element in a Triton kernel: the hash of `showdown.engine.dropout`.

Imported only where Triton is installed.
"""

import triton
import triton.language as tl

from showdown.engine.kernels.hash_constants import FIRST_FACTOR, PAIR_STEP, SECOND_FACTOR

_FIRST = tl.constexpr(FIRST_FACTOR)
_SECOND = tl.constexpr(SECOND_FACTOR)
_PAIR = tl.constexpr(PAIR_STEP)


@triton.jit
def random_word(index, first_seed, second_seed, pair: tl.constexpr):
    """Return the hash of each index; `pair` numbers the hashes of one element."""
    word = index.to(tl.uint32) + first_seed.to(tl.uint32) + (pair * _PAIR & 0xFFFFFFFF)
    word = word ^ (word >> 16)
    word = word * _FIRST
    word = word ^ second_seed.to(tl.uint32)
    word = word ^ (word >> 15)
    word = word * _SECOND
    return word ^ (word >> 16)
