"""TensorBoard: event files, in one folder for each run."""

import shutil
from typing import TYPE_CHECKING

from showdown.core.files import PARTIAL
from showdown.trackers.tracker import Entry, Plain, Table, Tracker

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

_EVENTS = "events.out.tfevents.showdown"
"""Name of the event file. The writer's default name contains the host name, which must not leave this machine."""


class TensorBoard(Tracker):
    """Writes each entry as one folder of event files."""

    def write(self, entry: Entry) -> None:
        """Write an entry's events into a temporary folder, then rename it."""
        from tensorboard.plugins.hparams import summary_v2 as hparams
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        target = self.folder / entry.key
        partial = target.with_name(target.name + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        writer = EventFileWriter(str(partial))
        config: dict[str, Plain] = {**entry.config, "status": entry.status}
        known = {key: value for key, value in config.items() if value is not None}
        began = entry.began_unix_seconds
        writer.add_event(_event(hparams.hparams_pb(known, trial_id=entry.key, start_time_secs=began), began))
        for series in entry.series:
            for row in series.rows:
                at = row[series.axis]
                stamp = began + at if series.axis == "seconds" else began
                for key in row.keys() - {series.axis}:
                    writer.add_event(_event(_scalar(f"{series.name}/{key}", row[key]), stamp, round(at)))
        for key, value in entry.scores.items():
            writer.add_event(_event(_scalar(f"scores/{key}", value), began))
        if entry.table:
            writer.add_event(_event(_text("comparison", _markdown(entry.table)), began))
        writer.close()
        (written,) = partial.glob("events.out.tfevents.*")
        written.rename(partial / _EVENTS)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)

    def upload(self) -> str:
        """Send nothing: TensorBoard reads the files where they are."""
        return f"nothing to send; view it with `tensorboard --logdir {self.folder}`"


def _event(summary: "Summary", stamp: float, step: int = 0) -> "Event":
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(summary=summary, wall_time=stamp, step=step)


def _scalar(tag: str, value: float) -> "Summary":
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=value)])


def _text(tag: str, text: str) -> "Summary":
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.plugins.text.metadata import create_summary_metadata

    tensor = TensorProto(
        dtype="DT_STRING",
        string_val=[text.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    metadata = create_summary_metadata(display_name=tag, description="")
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])


def _markdown(table: Table) -> str:
    lines: list[list[Plain]] = [[*table.columns], ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join("-" if cell is None else str(cell) for cell in line) + " |" for line in lines)
