"""The folder of a pretrained model: its configuration, tokenizer and weights, checked before they are opened."""

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS_KEY = "transformers_weights"
"""transformers opens the file that a configuration names here, `adapter_model.bin` with torch's unpickler."""
_SHARD = re.compile(r"[A-Za-z0-9_][\w.-]*\.safetensors")
_TOKENIZER_FILE = re.compile(
    r"(tokenizer|vocab|merges|special_tokens_map|added_tokens|spiece|spm|sentencepiece|bpe|dict)[\w.-]*"
    r"|[\w.-]+\.(model|tiktoken)"
)
FOUR_BITS = "bitsandbytes, four bits"
_MOST_HEADER_BYTES = 100_000_000
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Bits of one number, by its type in the safetensors format."""
_READ_WHOLE_BYTES = 256_000_000
_BLOCK_BYTES = 1 << 20
_SAMPLE_BYTES = 65536


def checked_folder(folder: Path, name: str) -> Path:
    """Return a folder whose configuration can be read and whose weights are whole: only then is it opened.

    Args:
        folder: of a model.
        name: the model's name in messages.

    Raises:
        UserError: naming the file that is missing, damaged, or no safetensors file.

    """
    path = folder / "config.json"
    if not path.is_file():
        fix = "give the folder that `save_pretrained` wrote"
        if (folder / ADAPTER_CONFIG).is_file():
            fix = "it holds an adapter alone; merge it into its base (`merge_and_unload`), and save the whole network"
        raise UserError(f"model `{name}`: no config.json in {folder}; {fix}")
    if _names_weights(read_config(folder, name)):
        raise UserError(
            f"model `{name}`: {path} names a file of weights (`{_WEIGHTS_KEY}`); only {SINGLE} and {INDEX} are opened. "
            "Remove that key"
        )
    for file in weight_files(folder, name):
        if not _is_whole(file):
            raise UserError(f"model `{name}`: {file} is cut short or no safetensors file; save or download it again")
    if (folder / SINGLE).is_file():
        return folder
    named = _weight_map(folder, name)
    held = {shard: _header(folder / shard)[0] for shard in set(named.values())}
    for tensor, shard in named.items():
        if tensor not in held[shard]:
            raise UserError(
                f"model `{name}`: {folder / shard} lacks `{tensor}`, which {INDEX} says it holds; download it again"
            )
    return folder


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Return a model's configuration as it is written.

    Raises:
        UserError: where it is no JSON object.

    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"model `{name}`: {path} is not JSON; save or download it again") from error
    if not isinstance(config, dict):
        raise UserError(f"model `{name}`: {path} is no JSON object; save or download it again")
    return config


def quantised_as(config: Mapping[str, Any]) -> str | None:
    """Return in which form a checkpoint's weights are quantised, or None where they are plain numbers.

    Args:
        config: its `config.json`.

    """
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    found = next((part["quantization_config"] for part in parts if part.get("quantization_config")), None)
    if found is None:
        return None
    method = str(found.get("quant_method") or "bitsandbytes") if isinstance(found, dict) else "unknown"
    if method.startswith("bitsandbytes"):
        assert isinstance(found, dict)
        return FOUR_BITS if found.get("load_in_4bit") else "bitsandbytes, eight bits"
    return method


def _names_weights(value: object) -> bool:
    if isinstance(value, dict):
        return _WEIGHTS_KEY in value or any(_names_weights(inner) for inner in value.values())
    return isinstance(value, list) and any(_names_weights(inner) for inner in value)


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the safetensors files of a checkpoint, as transformers chooses: its single one, or those of its index.

    Raises:
        UserError: where there are none, or the index names what is no safetensors file beside it.

    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        raise UserError(f"model `{name}`: no safetensors weights in {folder}; {_fix_without_weights(folder)}")
    return [folder / file for file in sorted(set(_weight_map(folder, name).values()))]


def _fix_without_weights(folder: Path) -> str:
    if (folder / "consolidated.safetensors").is_file():
        return f"consolidated.safetensors is in a layout of its own; download {SINGLE} or {INDEX} with its parts too"
    if (folder / "adapter_model.safetensors").is_file():
        return "it holds an adapter alone; merge it into its base (`merge_and_unload`), and save the whole network"
    return "pickled weights are never loaded. Save it again with `save_pretrained`, which writes safetensors"


def _weight_map(folder: Path, name: str) -> dict[str, str]:
    path = folder / INDEX
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UserError(f"model `{name}`: {path} is no index of weights; save or download it again") from error
    if not isinstance(found, dict) or not found:
        raise UserError(f"model `{name}`: {path} names no weights; save or download it again")
    for file in set(map(str, found.values())):
        if not _SHARD.fullmatch(file):
            raise UserError(
                f"model `{name}`: {path} names `{file}`, which is no safetensors file beside it; "
                "pickled weights are never loaded. Save it again with `save_pretrained`, which writes safetensors"
            )
        if not (folder / file).is_file():
            raise UserError(f"model `{name}`: {file} is missing in {folder}, and {INDEX} names it; download it again")
    return {str(name): str(file) for name, file in found.items()}


def _is_whole(path: Path) -> bool:
    """Return whether a safetensors file agrees with its header: tensors of these sizes, without gaps, to the end."""
    try:
        header, header_bytes = _header(path)
        tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
        end = 0
        for tensor in sorted(tensors, key=lambda one: one["data_offsets"]):
            start, stop = tensor["data_offsets"]
            bits = math.prod(tensor["shape"]) * _BITS[tensor["dtype"]]
            if start != end or 8 * (stop - start) != bits or min(tensor["shape"], default=0) < 0:
                return False
            end = stop
        return path.stat().st_size == 8 + header_bytes + end
    except (ValueError, RecursionError, struct.error, KeyError, IndexError, TypeError, AttributeError):
        return False


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a safetensors file's header and its length in bytes.

    Source: the safetensors format, 8 bytes of header length and a JSON header of at most 100 MB.
    """
    with path.open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        if header_bytes > min(path.stat().st_size, _MOST_HEADER_BYTES):
            raise ValueError(f"{path} has a header longer than the file, or than the format allows")
        return json.loads(file.read(header_bytes)), header_bytes


def fingerprint(folder: Path) -> str:
    """Return a fingerprint of a local model: SHA-256 over its configuration, its tokenizer and its weights.

    Files are read whole, those of weights up to 256 MB. Of a larger one its size, its header and the first 64 kB of
    each tensor are read, 20 MB of a 7B: whoever trains a network changes all of its tensors; a change of a few numbers
    further on goes unseen. Times of change prove nothing and are not looked at.

    Raises:
        UserError: as `checked_folder`.

    """
    name = str(folder)
    checked_folder(folder, name)
    digest = hashlib.sha256()
    for path in [folder / "config.json", *_tokenizer_files(folder), *weight_files(folder, name)]:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _READ_WHOLE_BYTES or path.suffix != ".safetensors":
                while block := file.read(_BLOCK_BYTES):
                    digest.update(block)
                continue
            header, header_bytes = _header(path)
            digest.update(file.read(8 + header_bytes))
            for start in sorted(tensor["data_offsets"][0] for name, tensor in header.items() if name != "__metadata__"):
                file.seek(8 + header_bytes + start)
                digest.update(file.read(_SAMPLE_BYTES))
    return f"files:{digest.hexdigest()[:16]}"


def _tokenizer_files(folder: Path) -> list[Path]:
    """Return the files that a tokenizer may be read from."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_tokenizer_file(path))


def is_tokenizer_file(path: Path) -> bool:
    """Return whether a file has a name that tokenizer files have."""
    return _TOKENIZER_FILE.fullmatch(path.name) is not None


def stored_parameters(folder: Path) -> int:
    """Count the numbers in a model's safetensors files from their headers, reading no weights."""
    return sum(
        math.prod(tensor["shape"])
        for path in weight_files(folder, str(folder))
        for name, tensor in _header(path)[0].items()
        if name != "__metadata__"
    )
