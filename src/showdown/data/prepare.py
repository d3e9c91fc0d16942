"""Prepare the data of a comparison, and write and load its three sides with a fingerprint."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.files import read_file, write_folder
from showdown.core.metric import CLASSIFICATION
from showdown.core.spec import DataSpec
from showdown.core.split import SplitSpec
from showdown.data.audit import Audit, audit_rows, lines
from showdown.data.chats.gather import Fit
from showdown.data.divide import divide, resolved_split, split_line
from showdown.data.gather import gather
from showdown.data.rows import Rows
from showdown.data.split import SIDES, Partition

MANIFEST = "manifest.json"
MAPPING = "label_mapping.json"
_COLUMNS = ("text", "label", "row", "cluster")
_CHAT_COLUMNS = ("prompt", "answer", "row", "cluster")
_ENDINGS = ("csv", "jsonl")
_NO_ROWS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""Errors from reading a file that `write_prepared` did not write."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The data of a comparison, the same for every method."""

    rows: Rows
    split: SplitSpec
    """The split, with `auto` resolved."""
    partitions: tuple[Partition, ...]
    """One partition, or one for each fold or repeat."""
    audit: Audit
    fingerprint: str
    """SHA-256 over the texts, their labels or answers, their duplicate groups, and the partitions."""
    notices: tuple[str, ...]
    """Messages for the user about what was guessed, left out or found, one line each."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted; none for a task that writes text."""
        return self.rows.labels

    def side(self, name: str, partition: int = 0) -> Examples:
        """Return the rows of `train`, `validation` or `test` of a partition."""
        indices = self.partitions[partition].sides[name]
        return Examples(
            texts=tuple(self.rows.texts[index] for index in indices),
            targets=tuple(self.rows.targets[index] for index in indices) if self.rows.targets else (),
            answers=tuple(self.rows.answers[index] for index in indices) if self.rows.answers else (),
            row_ids=tuple(self.rows.row_ids[index] for index in indices),
            duplicate_groups=tuple(self.rows.duplicate_groups[index] for index in indices),
        )


def prepare(data: DataSpec, protocol_split: SplitSpec, task: str = CLASSIFICATION, fit: Fit | None = None) -> Prepared:
    """Read and clean the data, find copies, split and audit.

    With `allow_leakage`, a single source is split by rows and copies are ignored, as in the study.

    Args:
        data: the source, and which of its rows are used.
        protocol_split: how they are divided.
        task: what the rows are for.
        fit: drops, cuts or refuses rows that are too long, for a task that writes text.

    Raises:
        UserError: for bad input, a label too rare to split, or copies across given files.

    """
    rows = gather(data, protocol_split.seed, task, fit)
    split = resolved_split(rows, data, protocol_split)
    partitions = tuple(divide(rows, data, split))
    audit = audit_rows(rows, split, partitions, allow_leakage=data.allow_leakage)
    cut = data.files is not None and data.files.validation is None
    return Prepared(
        rows=rows,
        split=split,
        partitions=partitions,
        audit=audit,
        fingerprint=_fingerprint(rows, partitions),
        notices=(*rows.notices, *lines(audit), split_line(protocol_split, split, rows, cut=cut)),
    )


def partition_folder(folder: Path, partition: int, count: int) -> Path:
    """Return the folder of one of `count` partitions: `folder` if there is only one, else `partition-K` in it."""
    return folder if count == 1 else folder / f"partition-{partition}"


def partitions_in(folder: Path) -> list[Path]:
    """Return the folders of all partitions that `write_prepared` wrote into a folder, in their order."""
    numbered = sorted(folder.glob("partition-*"), key=lambda place: int(place.name.rpartition("-")[2]))
    return numbered or [folder]


def write_prepared(prepared: Prepared, folder: Path) -> None:
    """Write all partitions into `folder` in one step, each in its `partition_folder`.

    Each partition has its three sides as CSV and JSON Lines, `label_mapping.json` where there are labels, and
    `manifest.json`. The columns are `text`, `label`, `row` (1-based row of the source) and `cluster` (number of the
    duplicate group); for a task that writes text `prompt` (JSON of its messages) and `answer` stand for the first two.
    Cells are exact.
    The manifest holds counts, the audit, the fingerprint and the SHA-256 of every other file, but no text.

    Raises:
        UserError: when the disk is full.

    """
    count = len(prepared.partitions)

    def fill(partial: Path) -> None:
        for number in range(count):
            place = partition_folder(partial, number, count)
            place.mkdir(exist_ok=True)
            for name, content in _contents(prepared, number).items():
                (place / name).write_bytes(content)

    # Every text is written twice in every partition, with at least one byte for each character.
    written = (*prepared.rows.texts, *prepared.rows.answers)
    write_folder(folder, fill, at_least_bytes=2 * count * sum(map(len, written)))


def _contents(prepared: Prepared, partition: int) -> dict[str, bytes]:
    """Return the content of each file of a partition, by file name."""
    files = {MAPPING: _mapping(prepared.labels)} if prepared.labels else {}
    for name in SIDES:
        records = _records(prepared.side(name, partition), prepared.labels)
        files[f"{name}.csv"] = _csv(records, _columns(prepared.labels))
        files[f"{name}.jsonl"] = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    contents = {name: text.encode("utf-8") for name, text in files.items()}
    manifest = {
        "fingerprint": prepared.fingerprint,
        "partition": partition,
        "partitions": len(prepared.partitions),
        "rows": {name: len(indices) for name, indices in prepared.partitions[partition].sides.items()},
        "labels": list(prepared.labels),
        "notices": list(prepared.notices),
        "audit": prepared.audit.model_dump(mode="json"),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    contents[MANIFEST] = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    return contents


def all_intact(prepared: Prepared, folder: Path) -> bool:
    """Return whether the folder holds these partitions as `write_prepared` wrote them, undamaged."""
    count = len(prepared.partitions)
    places = [partition_folder(folder, number, count) for number in range(count)]
    return all(is_intact(place, prepared.fingerprint) for place in places)


def is_intact(folder: Path, fingerprint: str | None = None) -> bool:
    """Return whether all files of a partition are undamaged, and have this fingerprint if one is given."""
    try:
        manifest = load_manifest(folder)
        mapping = [MAPPING] if manifest["labels"] else []
        for name in (*mapping, *(f"{side}.{ending}" for side in SIDES for ending in _ENDINGS)):
            _checked(folder, name, manifest)
    except UserError:
        return False
    return fingerprint is None or manifest["fingerprint"] == fingerprint


def load_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest.

    Raises:
        UserError: when it is missing or damaged.

    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        known = isinstance(manifest, dict) and isinstance(manifest["sha256"], dict)
        if known and isinstance(manifest["labels"], list) and manifest["fingerprint"]:
            return dict(manifest)
    except (OSError, *_NO_ROWS) as error:
        raise _damaged(folder, MANIFEST) from error
    raise _damaged(folder, MANIFEST)


def load_audit(folder: Path) -> Audit:
    """Return the audit that was written.

    Raises:
        UserError: when it is missing or damaged.

    """
    try:
        return Audit.model_validate(load_manifest(folder)["audit"])
    except (ValueError, KeyError) as error:
        raise _damaged(folder, MANIFEST) from error


def load_side(folder: Path, side: str) -> Examples:
    """Return `train`, `validation` or `test` as it was written.

    Raises:
        UserError: when a file is missing or damaged.

    """
    index_of = {label: index for index, label in enumerate(load_labels(folder))}
    content = _checked(folder, f"{side}.jsonl", load_manifest(folder))
    try:
        records = [json.loads(line) for line in content.decode("utf-8").split("\n") if line]
        return Examples(
            texts=tuple(str(record["text" if index_of else "prompt"]) for record in records),
            targets=tuple(index_of[record["label"]] for record in records) if index_of else (),
            answers=() if index_of else tuple(str(record["answer"]) for record in records),
            row_ids=tuple(int(record["row"]) for record in records),
            duplicate_groups=tuple(int(record["cluster"]) for record in records),
        )
    except _NO_ROWS as error:  # the digest is right, but another program wrote the file
        raise _damaged(folder, f"{side}.jsonl") from error


def load_labels(folder: Path) -> tuple[str, ...]:
    """Return the labels, sorted; none for a task that writes text.

    Raises:
        UserError: when a file is missing or damaged.

    """
    manifest = load_manifest(folder)
    if not manifest["labels"]:
        return ()
    try:
        mapping = json.loads(_checked(folder, MAPPING, manifest))["label_to_id"]
        return tuple(sorted(mapping, key=mapping.__getitem__))
    except _NO_ROWS as error:
        raise _damaged(folder, MAPPING) from error


def _checked(folder: Path, name: str, manifest: dict[str, Any]) -> bytes:
    try:
        content = read_file(folder / name)
    except OSError as error:
        raise _damaged(folder, name) from error
    if hashlib.sha256(content).hexdigest() != manifest["sha256"].get(name):
        raise _damaged(folder, name)
    return content


def _damaged(folder: Path, name: str) -> UserError:
    return UserError(f"{folder / name} is missing or damaged; remove {folder} and run the same command again")


def _fingerprint(rows: Rows, partitions: Sequence[Partition]) -> str:
    digest = hashlib.sha256(json.dumps(list(rows.labels)).encode())
    for partition in partitions:
        for name, indices in partition.sides.items():
            for index in indices:
                wanted = rows.answers[index] if rows.answers else rows.targets[index]
                row = [name, rows.texts[index], wanted, rows.duplicate_groups[index]]
                digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def _mapping(labels: Sequence[str]) -> str:
    """Return the label mapping as JSON, in the form of the study's file."""
    mapping = {
        "label_to_id": {label: index for index, label in enumerate(labels)},
        "id_to_label": {str(index): label for index, label in enumerate(labels)},
        "num_labels": len(labels),
    }
    return json.dumps(mapping, indent=2, ensure_ascii=False) + "\n"


def _records(side: Examples, labels: Sequence[str]) -> list[dict[str, str | int]]:
    wanted = [labels[target] for target in side.targets] if labels else side.answers
    rows = zip(side.texts, wanted, side.row_ids, side.duplicate_groups, strict=True)
    return [dict(zip(_columns(labels), row, strict=True)) for row in rows]


def _columns(labels: Sequence[str]) -> tuple[str, ...]:
    return _COLUMNS if labels else _CHAT_COLUMNS


def _csv(records: Sequence[dict[str, str | int]], columns: Sequence[str]) -> str:
    """Return CSV in which every text is quoted, so that cells stay exact."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()
