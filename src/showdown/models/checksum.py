"""A number that tells whether the weights of a loaded network are those of before, computed where they lie."""

import hashlib
from collections.abc import Collection, Iterator

import torch
from torch import nn

_WORD_BYTES = 8
_CHUNK_WORDS = 4_194_304
"""32 MB at a time, so that the memory beside the weights stays small."""
_ODD = 0x9E3779B97F4A7C15 - 2**64
"""The golden ratio as a 64-bit number (Knuth, The Art of Computer Programming 3, 6.4). An odd factor loses no bit."""


def checksum(module: nn.Module, left_out: Collection[str] = ()) -> str:
    """Return the checksum of all parameters and buffers, by name, type and shape; the same for the same device alone.

    On a CPU it is a SHA-256 of the bytes. On a GPU each word of 64 bits is multiplied by an odd number of its place, so
    that one changed word always changes the sum, and words that change places do: a pass over the memory, and only the
    sums travel. Sums of whole numbers are the same in any order.

    Args:
        module: any network, with layers in fewer bits too.
        left_out: parameters that may differ.

    """
    found = hashlib.sha256()
    sums: dict[torch.device, list[torch.Tensor]] = {}
    for name, value in sorted(_tensors(module), key=lambda one: one[0]):
        if name in left_out:
            continue
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        plain = value.contiguous().view(-1).view(torch.uint8)
        if value.device.type == "cpu":
            found.update(plain.numpy().data)
        else:
            sums.setdefault(value.device, []).extend(word_sums(plain))
    for values in sums.values():  # one transfer a device
        found.update(torch.stack(values).cpu().numpy().tobytes())
    return found.hexdigest()


def _tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in module.named_parameters():
        yield name, value.detach()
        state = getattr(value, "quant_state", None)  # scales of a weight in four bits, which are no buffers
        for key, scale in state.as_dict(packed=False).items() if state is not None else ():
            if isinstance(scale, torch.Tensor):
                yield f"{name}.{key}", scale
    yield from module.named_buffers()


def word_sums(plain: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the weighted sum of the words of each part of a tensor of bytes."""
    for chunk in torch.split(plain, _WORD_BYTES * _CHUNK_WORDS):
        words = _words(chunk)
        yield (words * _factors(len(words), chunk.device)).sum()


def _words(chunk: torch.Tensor) -> torch.Tensor:
    spare = -chunk.numel() % _WORD_BYTES
    whole = spare == 0 and chunk.storage_offset() % _WORD_BYTES == 0
    return (chunk if whole else nn.functional.pad(chunk, (0, spare))).view(torch.int64)


def _factors(count: int, device: torch.device) -> torch.Tensor:
    return torch.arange(1, 2 * count, 2, device=device) * _ODD
