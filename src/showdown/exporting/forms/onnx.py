"""An encoder as a graph of ONNX, for onnxruntime without torch."""

from pathlib import Path
from typing import ClassVar

from showdown.core.errors import UserError
from showdown.core.predictor import Predictor
from showdown.exporting.form import Form, Shipped
from showdown.exporting.network import (
    base_type,
    is_linear,
    is_network,
    reads_from_left_to_right,
    tokenizer_of,
    virtual_refusal,
)
from showdown.exporting.source import Source
from showdown.models.padding import PADDING_COUNTS

_COMPARED = 256
"""Test texts that the graph's logits are compared on."""
_CODE = """import json

import numpy
import onnxruntime
from transformers import AutoTokenizer

folder, texts = ".", ["a text"]
labels = json.load(open(f"{folder}/labels.json", encoding="utf-8"))
tokenizer = AutoTokenizer.from_pretrained(folder)
session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
inputs = tokenizer(texts, padding=True, truncation=True, return_token_type_ids=False, return_tensors="np")
logits = session.run(["logits"], {name: inputs[name].astype("int64") for name in ("input_ids", "attention_mask")})[0]
scores = numpy.exp(logits - logits.max(-1, keepdims=True))
scores /= scores.sum(-1, keepdims=True)
answers = [labels[best] for best in scores.argmax(-1)]"""


class Onnx(Form):
    """The network and its head in one graph, in float32, with tokenizer and configuration beside it."""

    title: ClassVar[str] = "ONNX"
    summary: ClassVar[str] = "an encoder with its head as one graph in float32, for onnxruntime"
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    install: ClassVar[str] = "`pip install 'finetuning-showdown[onnx]'` brings them"

    most_gap: ClassVar[float] = 0.05
    """Largest difference of a logit that a graph of the same numbers may have: by the order of its sums."""

    def refusal(self, source: Source) -> str | None:
        """Refuse a model without a network or labels, and one that reads from left to right."""
        if not (is_network(source) or is_linear(source)):
            return "has no network to trace"
        if not source.job.labels:
            return "writes its answers; ONNX is for encoders with labels here"
        if virtual_refusal(source):
            return virtual_refusal(source)
        kind = base_type(source)
        if kind in PADDING_COUNTS:
            return f"has a base (`{kind}`) whose answers change with padding, which onnxruntime needs"
        return "has a decoder as its base; ONNX is for encoders here" if reads_from_left_to_right(kind) else None

    def write(self, source: Source, folder: Path) -> Shipped:
        """Trace the network, write the graph, and compare its logits with torch's."""
        from showdown.exporting.onnx_graph import GRAPH, OnnxClassifier, graph_module, most_difference, write_graph
        from showdown.models.companions import write_tokenizer

        module, config = graph_module(source)
        write_graph(module, folder / GRAPH)
        self.finish(folder)
        config.save_pretrained(folder)
        tokenizer = tokenizer_of(source)
        write_tokenizer(folder, tokenizer, source.job, int(tokenizer.model_max_length))
        texts = source.side("test").texts[:_COMPARED]
        classifier = OnnxClassifier(folder / GRAPH, tokenizer, int(tokenizer.model_max_length))
        gap = most_difference(module, classifier, texts)
        if not gap <= self.most_gap:
            raise UserError(
                f"the graph's logits differ from torch's by {gap:.3g} on {len(texts)} test rows: it computes something "
                "else. Export the form `merged`, and report this with the base's name"
            )
        return Shipped(code=_CODE, library="onnx", most_logit_difference=gap, compared_rows=len(texts))

    def finish(self, folder: Path) -> None:
        """Change the written graph; this form leaves it as it is."""

    def open(self, source: Source, folder: Path) -> Predictor:
        """Open the graph with onnxruntime."""
        from showdown.exporting.onnx_graph import GRAPH, OnnxClassifier
        from showdown.models.tokens import load_tokenizer

        tokenizer = load_tokenizer(folder)
        return OnnxClassifier(folder / GRAPH, tokenizer, int(tokenizer.model_max_length))
