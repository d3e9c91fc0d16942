"""Where a pretrained model comes from: a built-in package, a local folder, or the Hugging Face hub.

Safetensors only, never remote code. A model is pinned before anything runs, so that every run of a comparison starts
from the same bytes and the record says which.
"""

import re
from pathlib import Path

from showdown.core.errors import UserError, suggestion, then
from showdown.core.spec import ModelSpec
from showdown.models.built_in import BUILT_IN, built_in_folder
from showdown.models.chat_template import with_chat_template
from showdown.models.folder import checked_folder, fingerprint

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_DESCRIBING_FILES = ["*.json", "*.txt", "*.model", "*.jinja"]
_WANTED_FILES = [*_DESCRIBING_FILES, "*.safetensors"]


def pin(spec: ModelSpec, *, weights: bool = True) -> ModelSpec:
    """Return the same model with its revision filled in: a hub commit, or a fingerprint of local or built-in files.

    The content of a file with a chat template stands in the place of its path.

    Args:
        spec: which one.
        weights: whether those of a hub are downloaded if need be; its commit is known without them.

    Raises:
        UserError: when the model cannot be found, is damaged, or has no safetensors weights, or its template cannot be
            read.

    """
    return with_chat_template(spec).model_copy(update={"revision": _found_revision(spec, weights=weights)})


def _found_revision(spec: ModelSpec, *, weights: bool) -> str:
    if Path(spec.id).is_dir():
        return _checked_revision(spec, fingerprint(Path(spec.id)))
    if spec.id in BUILT_IN:
        return _checked_revision(spec, BUILT_IN[spec.id].revision)
    return (locate(spec) if weights else locate_description(spec)).name


def was_local(spec: ModelSpec) -> bool:
    """Tell whether a pinned model was a local folder: its revision is a fingerprint of files, not a hub commit."""
    return spec.id not in BUILT_IN and ":" in (spec.revision or "")


def _checked_revision(spec: ModelSpec, found: str) -> str:
    if spec.revision not in (None, found):
        raise UserError(
            f"model `{spec.id}`: its files are {found}, but `model.revision` asks for {spec.revision}; put the files "
            "back that it had then, or run the comparison again into another folder"
        )
    return found


def locate(spec: ModelSpec) -> Path:
    """Return the folder that holds the model's configuration, tokenizer and weights.

    A model of the hub is downloaded if need be, and a built-in one that comes as GGUF is converted.

    A pinned model is returned as it was pinned, or not at all: local files are checked anew each time.

    Raises:
        UserError: as `pin`; also where a pinned model's files have changed.

    """
    if Path(spec.id).is_dir():
        if spec.revision is None:
            return checked_folder(Path(spec.id), spec.id)
        _checked_revision(spec, fingerprint(Path(spec.id)))
        return Path(spec.id)
    if spec.id in BUILT_IN:
        _checked_revision(spec, BUILT_IN[spec.id].revision)
        return built_in_folder(spec.id)
    return checked_folder(_from_hub(spec, _WANTED_FILES), spec.id)


def locate_description(spec: ModelSpec) -> Path:
    """Return the folder with a model's configuration, or a file that is one. Weights need not be there.

    Of a model of the hub everything but its weights is downloaded if need be.

    Raises:
        UserError: when nothing describes the model.

    """
    place = Path(spec.id)
    if place.suffix == ".json" and place.is_file():
        return place.parent if place.name == "config.json" else place
    if place.is_dir():
        if not (place / "config.json").is_file():
            raise UserError(f"model `{spec.id}`: no config.json in {place}; give a folder that has one, or the file")
        return place
    if spec.id in BUILT_IN:
        return built_in_folder(spec.id)
    if place.suffix == ".json":
        raise UserError(
            f"model `{spec.id}`: no such file; give a `config.json`, a folder that has one, or a model's id"
        )
    return _from_hub(spec, _DESCRIBING_FILES)


def public_name(spec: ModelSpec) -> str:
    """Return the name under which others find a model: its id on the hub, or the name of its folder, without a path."""
    if Path(spec.id).is_dir():
        return Path(spec.id).resolve().name
    return BUILT_IN[spec.id].on_hub if spec.id in BUILT_IN else spec.id


def _from_hub(spec: ModelSpec, files: list[str]) -> Path:
    if not _HUB_ID.fullmatch(spec.id) or spec.id.startswith(("./", "../")):
        raise UserError(f"model `{spec.id}`: no such folder, and not the form of a Hugging Face id (owner/name)")
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(spec.id, revision=spec.revision, allow_patterns=files))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        at = f" at revision {spec.revision}" if spec.revision else ""
        fix = f"download it where there is a network with `hf download {spec.id}`, or give the path of a local folder"
        reason = "the hub refused it" if isinstance(error, HfHubHTTPError) else "the hub cannot be reached"
        raise UserError(
            f"model `{spec.id}`{at}: no such folder or built-in model, not in the cache "
            f"({constants.HF_HUB_CACHE}), and {reason}{then(suggestion(spec.id, BUILT_IN), fix)}"
        ) from error
