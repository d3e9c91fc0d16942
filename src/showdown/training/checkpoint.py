"""Checkpoints that survive a kill at any moment, without pickle.

A checkpoint is a folder that is moved into place when it is complete: tensors as safetensors, the rest as JSON, and a
manifest with the size of each file. A checkpoint that is cut short anywhere is skipped, and a message names it.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from showdown.core.files import PARTIAL, write_folder, write_json
from showdown.core.manifest import damage, write_sizes

_TENSORS = "state.safetensors"
_FACTS = "facts.json"


@dataclass(frozen=True, kw_only=True)
class State:
    """What training needs to continue: tensors by name, and JSON values."""

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


def save_state(folder: Path, state: State) -> None:
    """Write a state as a folder that appears whole."""

    def fill(partial: Path) -> None:
        save_file({name: tensor.detach().contiguous() for name, tensor in state.tensors.items()}, partial / _TENSORS)
        write_json(partial / _FACTS, dict(state.facts))
        write_sizes(partial)

    write_folder(folder, fill, at_least_bytes=sum(tensor.nbytes for tensor in state.tensors.values()))


def load_state(folder: Path) -> State:
    """Read a whole state, tensors on the CPU."""
    return State(
        tensors=load_file(folder / _TENSORS),
        facts=json.loads((folder / _FACTS).read_text(encoding="utf-8")),
    )


def _unreadable(folder: Path) -> str | None:
    """Return the file of a state's tensors where it has its size but no valid safetensors header, else None."""
    path = folder / _TENSORS
    try:
        with safe_open(path, framework="pt"):
            return None
    except (SafetensorError, OSError):
        return str(path)


class Checkpoints:
    """The checkpoints of one run, in one folder: the newest state, and the weights of the best epoch so far."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say

    def save(self, step: int, epoch: int, state: State) -> None:
        """Write the state after ``step`` optimiser steps and ``epoch`` whole epochs, then drop the older ones.

        Both are in its name, so that a state never takes the place of another: the last step of an epoch is saved
        before its validation and after it.
        """
        newest = self.folder / f"step-{step:08d}-epoch-{epoch:04d}"
        save_state(newest, state)
        self._drop_others("step-", newest)
        best = state.facts.get("best_weights")
        if best:
            self._drop_others("best-", self.folder / best)

    def save_best(self, epoch: int, tensors: Mapping[str, torch.Tensor]) -> str:
        """Write the weights of the best epoch so far and return their folder's name.

        The older ones stay until a checkpoint names the new ones.
        """
        name = f"best-{epoch:04d}"
        save_state(self.folder / name, State(tensors=tensors, facts={"epoch": epoch}))
        return name

    def load_best(self, name: str) -> Mapping[str, torch.Tensor]:
        """Read the weights that `save_best` wrote."""
        return load_state(self.folder / name).tensors

    def newest(self) -> State | None:
        """Return the newest whole state, or None; a message names each damaged one, which is skipped."""
        for folder in sorted(self.folder.glob("step-*"), reverse=True):
            if folder.name.endswith(PARTIAL):
                continue
            fault = damage(folder)
            fault = fault or _unreadable(folder)
            if fault is None:
                state = load_state(folder)
                best = state.facts.get("best_weights")
                fault = (damage(self.folder / best) or _unreadable(self.folder / best)) if best else None
                if fault is None:
                    return state
            self._say(f"damaged checkpoint passed over: {fault} is cut short or unreadable")
        return None

    def clear(self) -> None:
        """Remove all checkpoints: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _drop_others(self, prefix: str, kept: Path) -> None:
        for folder in self.folder.glob(f"{prefix}*"):
            if folder != kept:
                shutil.rmtree(folder, ignore_errors=True)
