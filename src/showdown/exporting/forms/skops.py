"""A scikit-learn pipeline in skops, which holds no executable code."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from showdown.core.files import read_file, write_bytes
from showdown.core.predictor import Predictor
from showdown.exporting.form import Form, Shipped
from showdown.exporting.source import Source

PIPELINE = "pipeline.skops"
_CODE = """import skops.io

folder, texts = ".", ["a text"]
pipeline = skops.io.load(folder + "/pipeline.skops", trusted=[])
scores = pipeline.SCORES(texts)
answers = pipeline.predict(texts).tolist()"""


class Skops(Form):
    """The pipeline that the arm saved, answering with the labels' names."""

    title: ClassVar[str] = "skops pipeline"
    summary: ClassVar[str] = "a scikit-learn pipeline without pickle, for scikit-learn and skops alone"

    def refusal(self, source: Source) -> str | None:
        """Refuse a model that is no pipeline."""
        return None if (source.artifact / PIPELINE).is_file() else "is no pipeline of scikit-learn"

    def write(self, source: Source, folder: Path) -> Shipped:
        """Write the pipeline with the names of the labels in the place of their numbers."""
        import skops.io

        pipeline = _loaded(source.artifact)
        pipeline[-1].classes_ = np.asarray(source.job.labels)[pipeline[-1].classes_]
        write_bytes(folder / PIPELINE, skops.io.dumps(pipeline))
        scores = "predict_proba" if hasattr(pipeline, "predict_proba") else "decision_function"
        return Shipped(code=_CODE.replace("SCORES", scores), library="sklearn")

    def open(self, source: Source, folder: Path) -> Predictor:
        """Open the written pipeline, its labels in the order of the comparison."""
        from showdown.methods.pipeline import PipelineClassifier

        pipeline, labels = _loaded(folder), source.job.labels
        pipeline[-1].classes_ = np.array([labels.index(name) for name in pipeline[-1].classes_.tolist()])
        return PipelineClassifier(pipeline, len(labels))


def _loaded(folder: Path) -> Any:
    import skops.io

    return skops.io.loads(read_file(folder / PIPELINE), trusted=[])
