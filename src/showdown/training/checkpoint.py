"""Checkpoints that survive a kill at any moment, without pickle.

A checkpoint is a folder that is moved into place when it is complete: tensors as safetensors, the rest as JSON, and a
manifest with the size of each file. A checkpoint that is cut short anywhere is skipped, and a message names it.

Processes that train one network together each write their parts of its tensors into a file of their own. A part is some
rows of a tensor, in the order of the processes, so that any other number of processes can read what it needs.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from showdown.core.files import PARTIAL, partial_of, write_folder, write_json
from showdown.core.manifest import damage, write_sizes
from showdown.engine.parallel.group import Group

_FACTS = "facts.json"


def _file(rank: int) -> str:
    """Return the name of the tensors that a process wrote."""
    return f"state-{rank}.safetensors" if rank else "state.safetensors"


@dataclass(frozen=True, kw_only=True)
class State:
    """What training needs to continue: tensors by name, and JSON values."""

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]
    parts: frozenset[str] = frozenset()
    """Names of the tensors that are this process's part of larger ones: some of their rows."""
    own: frozenset[str] = frozenset()
    """Names of the tensors that differ between processes without being parts."""
    processes: int = 1
    """How many wrote it."""


def save_state(folder: Path, state: State, group: Group | None = None) -> None:
    """Write a state as a folder that appears whole; all processes of the group call it."""
    group = group or Group()
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.tensors.items()}
    if not group.leads:
        group.wait()
        mine = {name: tensor for name, tensor in tensors.items() if name in state.parts | state.own}
        save_file(mine, partial_of(folder) / _file(group.rank))
        group.wait()
        return

    def fill(partial: Path) -> None:
        group.wait()
        save_file(tensors, partial / _file(0))
        group.wait()
        write_json(partial / _FACTS, {**state.facts, "parts": sorted(state.parts), "processes": group.size})
        write_sizes(partial)

    write_folder(folder, fill, at_least_bytes=sum(tensor.nbytes for tensor in tensors.values()))


def load_state(folder: Path, *, divided: frozenset[str] = frozenset(), group: Group | None = None) -> State:
    """Read a whole state, tensors on the CPU, however many processes wrote it.

    Args:
        folder: of the state.
        divided: names of the tensors of which this process gets its part; it gets all others whole.
        group: of this process.

    """
    group = group or Group()
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    parts, processes = frozenset(facts.pop("parts", [])), facts.pop("processes", 1)
    own = _file(group.rank if group.rank < processes else 0)
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(safe_open(folder / name, framework="pt")) for name in map(_file, range(processes))
        }
        holding: dict[str, list[Any]] = {}
        for file in files.values():
            for name in file.keys():  # noqa: SIM118 - a safetensors file is no mapping
                holding.setdefault(name, []).append(file)
        tensors = {}
        for name, found in holding.items():
            if name in parts or name in divided:
                piece = _rows(name, found if name in parts else found[:1], group if name in divided else Group())
                if piece is not None:
                    tensors[name] = piece
            else:
                tensors[name] = (files[own] if files[own] in found else found[0]).get_tensor(name)
    return State(tensors=tensors, facts=facts, parts=parts & divided, processes=processes)


def _rows(name: str, files: Sequence[Any], group: Group) -> torch.Tensor | None:
    """Return the rows of a tensor that belong to a process, from the files that hold it one behind the other."""
    slices = [file.get_slice(name) for file in files]
    counts = [int(one.get_shape()[0]) for one in slices]
    total = sum(counts)
    size = -(-total // group.size)  # as torch.chunk divides
    first, end = min(total, group.rank * size), min(total, (group.rank + 1) * size)
    found, before = [], 0
    for one, count in zip(slices, counts, strict=True):
        low, high = max(first - before, 0), min(end - before, count)
        if low < high:
            found.append(one[low:high])
        before += count
    return torch.cat(found) if found else None


def _unreadable(folder: Path) -> str | None:
    """Return the file of a state's tensors where it has its size but no valid safetensors header, else None."""
    for path in sorted(folder.glob("state*.safetensors")) or [folder / _file(0)]:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError):
            return str(path)
    return None


class Checkpoints:
    """The checkpoints of one run, in one folder: the newest state, and the weights of the best epoch so far.

    All processes of a group make the same calls.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], group: Group | None = None) -> None:
        self.folder = folder
        self._say = say
        self._group = group or Group()

    def save(self, step: int, epoch: int, state: State) -> None:
        """Write the state after ``step`` optimiser steps and ``epoch`` whole epochs, then drop the older ones.

        Both are in its name, so that a state never takes the place of another: the last step of an epoch is saved
        before its validation and after it.
        """
        newest = self.folder / f"step-{step:08d}-epoch-{epoch:04d}"
        save_state(newest, state, self._group)
        self._drop_others("step-", newest)
        best = state.facts.get("best_weights")
        if best:
            self._drop_others("best-", self.folder / best)

    def save_best(self, epoch: int, tensors: Mapping[str, torch.Tensor], parts: frozenset[str] = frozenset()) -> str:
        """Write the weights of the best epoch so far and return their folder's name.

        The older ones stay until a checkpoint names the new ones.
        """
        name = f"best-{epoch:04d}"
        save_state(self.folder / name, State(tensors=tensors, facts={"epoch": epoch}, parts=parts), self._group)
        return name

    def load_best(self, name: str, divided: frozenset[str] = frozenset()) -> Mapping[str, torch.Tensor]:
        """Read the weights that `save_best` wrote; `divided` as in `load_state`."""
        return load_state(self.folder / name, divided=divided, group=self._group).tensors

    def newest(self, divided: frozenset[str] = frozenset()) -> State | None:
        """Return the newest whole state, or None; a message names each damaged one, which is skipped.

        Args:
            divided: as in `load_state`.

        """
        found = self._group.told(self._newest_whole() if self._group.leads else None)[0]
        return None if found is None else load_state(self.folder / found, divided=divided, group=self._group)

    def _newest_whole(self) -> str | None:
        """Return the name of its folder."""
        for folder in sorted(self.folder.glob("step-*"), reverse=True):
            if folder.name.endswith(PARTIAL):
                continue
            fault = damage(folder)
            fault = fault or _unreadable(folder)
            if fault is None:
                facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
                best = facts.get("best_weights")
                fault = (damage(self.folder / best) or _unreadable(self.folder / best)) if best else None
                if fault is None:
                    return folder.name
            self._say(f"damaged checkpoint passed over: {fault} is cut short or unreadable")
        return None

    def clear(self) -> None:
        """Remove all checkpoints: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _drop_others(self, prefix: str, kept: Path) -> None:
        if not self._group.leads:
            return
        for folder in self.folder.glob(f"{prefix}*"):
            if folder != kept:
                shutil.rmtree(folder, ignore_errors=True)
