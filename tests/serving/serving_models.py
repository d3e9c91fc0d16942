"""Models without a network, for tests of what stands around them."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.testclient import TestClient

from echo_writer import Echo
from showdown.core.bounds import RequestedData
from showdown.core.predictor import Classifier, Writer
from showdown.core.record import Confidence, CoveragePoint
from showdown.prediction.model import Model
from showdown.prediction.writer import WriterModel
from showdown.serving.app import Service
from showdown.serving.limits import Limits

SECRET = "sesquipedalian"
HOST = "127.0.0.1:8000"


class Lengths(Classifier):
    """The label is the text's length modulo three. A text that holds `fails` cannot be scored, with one message."""

    score_kind = "probability"
    pads = False

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.broken = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_asked = threading.Event()
        self.threads: set[int] = set()

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        self.threads.add(threading.get_ident())
        self.batches.append(list(texts))
        self.is_asked.set()
        assert self.may_go_on.wait(20)
        if self.broken or any("fails" in text for text in texts):
            raise RuntimeError(f"cannot score {texts[0]}")
        found = np.full((len(texts), 3), 0.2)
        found[np.arange(len(texts)), [len(text) % 3 for text in texts]] = 0.6
        return found


def thresholds(points: Mapping[float, float]) -> Confidence:
    """Thresholds by coverage."""
    return Confidence(
        kind="probability",
        rows=10,
        validation_rows=10,
        expected_calibration_error=None,
        expected_calibration_error_if_calibrated=None,
        brier_score=None,
        bins=[],
        points=[
            CoveragePoint(coverage=coverage, threshold=threshold, answered_rows=1, accuracy=1.0)
            for coverage, threshold in points.items()
        ],
    )


def label_model(classifier: Classifier | None = None, **data: Any) -> Model:
    """A model of the labels a, b and c, which is sure of nothing at a coverage of 0.5 and of all at 0.9."""
    return Model(
        name="lengths",
        labels=("a", "b", "c"),
        data=RequestedData(**data),
        classifier=classifier or Lengths(),
        confidence=thresholds({0.5: 0.7, 0.9: 0.3}),
        fix="copy it again",
    )


def writer_model(writer: Writer | None = None, **data: Any) -> WriterModel:
    return WriterModel(name="capitals", data=RequestedData(**data), writer=writer or Echo(), fix="copy it again")


@contextmanager
def client_of(
    model: Model | WriterModel, *, start: bool = True, **options: Any
) -> Iterator[tuple[TestClient, Service]]:
    """A client of the application around a model. Limits and other options of `Service` may be given."""
    limits = Limits(**{name: options.pop(name) for name in list(options) if name in Limits.__dataclass_fields__})
    service = Service(model, limits, **{"hosts": [HOST], **options})
    if start:
        service.start(lambda: None)
    with TestClient(service.application, base_url=f"http://{HOST}") as client:
        yield client, service
    if start:
        service.finish(10)
