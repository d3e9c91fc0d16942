"""Events of a worker: what is written is read again, and anything else is refused."""

import io
from typing import get_args

import pytest

from showdown.core.events import (
    Event,
    EventWriter,
    Message,
    PhaseEntered,
    PhaseStarted,
    Step,
    SystemSample,
    WorkerExited,
    WorkerStarted,
    decode,
    encode,
)
from showdown.core.samples import Sample

RUN = "lora-s0-p0-0123456789"
SAMPLE = Sample.model_validate({**dict.fromkeys(Sample.model_fields), "seconds": 1.5, "phase": "training"})
EVENTS: list[Event] = [
    WorkerStarted(RUN, "train", 7, None),
    WorkerStarted(RUN, "score", 7, "GPU-abc"),
    PhaseStarted(RUN, 'a "phase"\nof two lines'),
    PhaseEntered(RUN, "training"),
    Step(RUN, 3, 40, 1, 0.1234567890123, 2.5),
    Step(RUN, 3, 40, 1, float("inf"), 2.5),
    Message(RUN, "caf\u00e9 \u2028 \ud800"),
    SystemSample(RUN, SAMPLE),
    WorkerExited(RUN, -9),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    line = encode(event)
    assert "\n" not in line
    assert decode(line) == event
    assert type(decode(line.encode())) is type(event)
    assert event.run_id == RUN


def test_every_kind_of_event_is_tried() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))


def test_every_cut_of_an_event_is_refused() -> None:
    for event in EVENTS:
        line = encode(event)
        for size in range(len(line)):
            with pytest.raises(ValueError):
                decode(line[:size])


@pytest.mark.parametrize(
    "line",
    ["", "7", "{}", '{"kind": "exit", "code": 0}', "[]", '["exit"]', '["exit", "x", 0, 1]', '[["exit"], "x", 0]'],
)
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        decode(line)


def test_the_writer_names_its_run_in_each_event() -> None:
    stream = io.StringIO()
    writer = EventWriter(stream, RUN)
    writer.worker("train", "1")
    writer.phase("loading")
    writer.entered("training")
    writer.step(step=1, steps=2, epoch=1, loss=0.5, seconds=0.25)
    writer.say("cut")
    found = [decode(line) for line in stream.getvalue().splitlines()]
    assert {event.run_id for event in found} == {RUN}
    assert found[1:] == [
        PhaseStarted(RUN, "loading"),
        PhaseEntered(RUN, "training"),
        Step(RUN, 1, 2, 1, 0.5, 0.25),
        Message(RUN, "cut"),
    ]
    assert writer.messages == ["cut"]
