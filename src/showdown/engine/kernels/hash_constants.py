"""Constants of the hash that draws dropout masks, for its PyTorch and its Triton version.

The hash is the finaliser `lowbias32` of Chris Wellons' hash prospector (public domain), seeded before and within it.
"""

FIRST_FACTOR = 0x7FEB352D
SECOND_FACTOR = 0x846CA68B
PAIR_STEP = 0x3C6EF372
"""Added to the index for each further hash of the same element."""
