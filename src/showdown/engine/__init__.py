"""The engine: how a network is run forward and stepped, as fast and as lean as the hardware allows, at unchanged maths.

It knows nothing of data, methods or protocols. `forward` turns token ids into logits; the other modules make that
and the optimiser step cheaper, and choose a micro-batch that fits.
"""
