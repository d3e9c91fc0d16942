"""The form of every result file: what was measured, and by which command, where and when.

Every benchmark takes its arguments from `argument_parser` and writes through `write_result`. Nothing is written unless
`--out FOLDER` is given; `--out benchmarks/results` updates the files of the repository.
"""

import argparse
import datetime
import importlib.metadata
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, JsonValue, model_validator

from showdown.core.files import write_json
from showdown.core.strict import Strict
from showdown.measure.environment import environment

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
_MORE_PACKAGES = ("accelerate", "cleanlab", "datasets", "torchao", "triton", "trl", "unsloth", "unsloth_zoo")
"""Packages that a benchmark may use beside those of a run's record."""
_NOT_RECORDED = {"out", "commit"}
"""Options that say where a result goes, not how it is measured."""


class BenchmarkResult(Strict):
    """One result file. A field that is not known is null, and the note says why."""

    script: str = Field(pattern=r"^benchmarks/(cpu|gpu|statistics)/[a-z0-9_]+\.py$")
    command: str = Field(pattern=r"^python -m benchmarks\.")
    """Makes the file again, from the folder of the checkout."""
    commit: str | None
    """Commit of the checkout, with `-dirty` where files differed from it."""
    versions: dict[str, str] | None
    """Version of Python and of each package."""
    device: str | None
    """The GPU, or the processor and the number of threads that torch uses."""
    date: datetime.date | None
    note: str | None = None
    results: dict[str, JsonValue]
    """What was measured; a name says its unit where it has one."""

    @model_validator(mode="after")
    def _explain_unknown_fields(self) -> Self:
        unknown = [name for name in ("commit", "versions", "device", "date") if getattr(self, name) is None]
        if unknown and not self.note:
            raise ValueError(f"a note must say why there is no {' and no '.join(unknown)}")
        return self


def argument_parser(script_file: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks share.

    Args:
        script_file: `__file__` of the benchmark.
        description: its docstring.

    """
    script = Path(script_file).resolve().relative_to(ROOT).as_posix()
    parser = argparse.ArgumentParser(
        prog=f"python -m {module_of(script)}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(script=script)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the result below this folder")
    parser.add_argument("--variant", metavar="NAME", help="name of a result that stands beside the usual one")
    parser.add_argument("--commit", metavar="HASH", help="the commit, where the sources are not in a git checkout")
    return parser


def module_of(script: str) -> str:
    """Return the module's name of a script, which is given as its path in the checkout."""
    return script.removesuffix(".py").replace("/", ".")


def result_name(script: str, variant: str | None) -> Path:
    """Return the path of a script's result file within the folder of results."""
    path = Path(script)
    return Path(path.parent.name) / (f"{path.stem}-{variant}.json" if variant else f"{path.stem}.json")


def recorded_command(script: str, arguments: Sequence[str]) -> str:
    """Return the command that makes a result again, whatever folder the result was written to."""
    kept, skip = [], False
    for argument in arguments:
        name, has_value, _ = argument.removeprefix("--").partition("=")
        if skip:
            skip = False
        elif argument.startswith("--") and name in _NOT_RECORDED:
            skip = not has_value
        else:
            kept.append(argument)
    return shlex.join(["python", "-m", module_of(script), *kept, "--out", "benchmarks/results"])


class Place(Strict):
    """Where a result was measured."""

    commit: str | None
    versions: dict[str, str]
    device: str


def place_of(device: str) -> Place:
    """Describe this process; on a GPU that starts CUDA.

    Args:
        device: `cpu` or `cuda`, where the benchmark measures.

    """
    here = environment(device)
    if here.gpu:
        hardware = f"{here.gpu}, {here.gpu_memory_gb} GB"
    else:
        hardware = f"{here.cpu}, {here.cpu_threads} thread{'s' if here.cpu_threads > 1 else ''}"
    return Place(commit=here.commit, versions=here.versions | _more_versions(device), device=hardware)


def write_result(
    options: argparse.Namespace,
    results: Mapping[str, object],
    *,
    device: str = "cpu",
    place: Place | None = None,
    variant: str | None = None,
    arguments: Sequence[str] | None = None,
) -> Path | None:
    """Write a result file; return its path, or None where no folder was given.

    Args:
        options: from the parser of `argument_parser`.
        results: what was measured.
        device: `cpu` or `cuda`, where it was measured.
        place: where it was measured, if that was another process than this one.
        variant: part of the file's name; by default that of the command line.
        arguments: those that make this file again; by default those of the command line.

    """
    if options.out is None:
        return None
    place = place or place_of(device)
    commit = place.commit or options.commit
    result = BenchmarkResult(
        script=options.script,
        command=recorded_command(options.script, sys.argv[1:] if arguments is None else arguments),
        commit=commit,
        versions=place.versions,
        device=place.device,
        date=datetime.datetime.now(datetime.UTC).date(),
        note=None if commit else "The sources were not in a git checkout: no commit is known.",
        results={name: _plain(value) for name, value in results.items()},
    )
    path: Path = options.out / result_name(options.script, variant or options.variant)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result.model_dump(mode="json"))
    print(f"written: {path}")
    return path


def _plain(value: object) -> JsonValue:
    """Return a value as JSON holds it: tuples become lists, NumPy scalars become numbers, infinite values null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"a result cannot hold a {type(value).__name__}")


def read_result(path: Path) -> BenchmarkResult:
    """Read and check a result file; raise `pydantic.ValidationError` where it is not one."""
    return BenchmarkResult.model_validate_json(path.read_bytes())


def _more_versions(device: str) -> dict[str, str]:
    found = {}
    for name in _MORE_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if device == "cuda":
        import torch

        found["cuda"] = str(torch.version.cuda)
    return found
