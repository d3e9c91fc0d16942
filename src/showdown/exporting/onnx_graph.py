"""A trained encoder as a graph of ONNX: from token ids and their mask to the logits of the labels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from showdown.core.predictor import Classifier
from showdown.core.quiet import quiet_loggers
from showdown.core.record import ScoreKind
from showdown.exporting.network import is_linear, merged_network
from showdown.exporting.source import Source
from showdown.models.pooling import Pooling, pooled
from showdown.models.tokens import encode

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GRAPH = "model.onnx"
LOGITS = "logits"
_INPUTS = ("input_ids", "attention_mask")
_OPSET = 18
_LARGE_BYTES = 1_800_000_000
"""A larger graph keeps its weights in a file beside it: protobuf holds two gigabytes at most."""
_ROWS = 16
_EXAMPLE = (2, 7)
"""Rows and tokens of the example that the graph is traced with; both are free in the graph."""


Answer = Callable[[torch.Tensor, torch.Tensor], npt.NDArray[np.float32]]
"""From token ids and their mask, shapes (rows, tokens), to logits, shape (rows, labels)."""


class LabelLogits(nn.Module):
    """A network with a head of labels."""

    def __init__(self, network: "PreTrainedModel") -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits: shape (rows, labels)."""
        logits: torch.Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


class ProbeLogits(nn.Module):
    """A network with a linear model over the pooled vectors of its last layer, scaled to length one."""

    def __init__(
        self,
        network: "PreTrainedModel",
        pooling: Pooling,
        weight: npt.NDArray[np.float64],
        bias: npt.NDArray[np.float64],
    ) -> None:
        super().__init__()
        self.network, self.pooling = network, pooling
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float32))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits: shape (rows, labels)."""
        hidden = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = pooled(hidden, attention_mask, self.pooling)
        return nn.functional.normalize(vectors, dim=-1) @ self.weight.T + self.bias


def graph_module(source: Source) -> tuple[nn.Module, Any]:
    """Return what is traced, in float32 on the CPU, and the network's configuration with the labels."""
    if is_linear(source):
        predictor: Any = source.trained()
        network, head = predictor.embedder.module, predictor.head
        module: nn.Module = ProbeLogits(network, predictor.embedder.pooling, head.weight, head.bias)
        source.job.task.configure(network.config, source.job.labels)
    else:
        network = merged_network(source)
        module = LabelLogits(network)
    network.set_attn_implementation("eager")
    return module.float().cpu().eval(), network.config


def write_graph(module: nn.Module, path: Path) -> None:
    """Trace a module with torch's exporter and write the graph; rows and tokens are free in it."""
    # Two tensors: of one given twice the exporter makes a single input.
    example = {name: torch.ones(_EXAMPLE, dtype=torch.int64) for name in _INPUTS}
    free = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
    size = sum(value.numel() * value.itemsize for value in module.parameters())
    with quiet_loggers("torch.onnx"):
        torch.onnx.export(
            module,
            (),
            path,
            kwargs=example,
            input_names=list(_INPUTS),
            output_names=[LOGITS],
            dynamic_shapes={name: free for name in _INPUTS},
            opset_version=_OPSET,
            dynamo=True,
            external_data=size > _LARGE_BYTES,
            verbose=False,
        )


class OnnxClassifier(Classifier):
    """A graph of ONNX as a classifier, by onnxruntime on the CPU. Texts of similar length are padded together."""

    score_kind: ScoreKind = "probability"

    def __init__(self, path: Path, tokenizer: "PreTrainedTokenizerBase", limit: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()  # as many as torch has, for the comparison of speeds
        self.session: InferenceSession = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.tokenizer, self.limit, self._most_tokens = tokenizer, limit, limit

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Return probabilities: shape (texts, labels), each row sums to one."""
        from scipy.special import softmax

        found: npt.NDArray[np.float64] = softmax(self.logits(texts, batch_rows=batch_rows).astype(np.float64), axis=1)
        return found

    def logits(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float32]:
        """Return the logits: shape (texts, labels)."""

        def answer(ids: torch.Tensor, mask: torch.Tensor) -> npt.NDArray[np.float32]:
            found: Any = self.session.run([LOGITS], dict(zip(_INPUTS, (ids.numpy(), mask.numpy()), strict=True)))
            return np.asarray(found[0], dtype=np.float32)

        return _in_batches(self.tokenizer, texts, self._most_tokens, batch_rows, answer)


def most_difference(module: nn.Module, classifier: OnnxClassifier, texts: Sequence[str]) -> float:
    """Return the largest absolute difference between a module's logits and those of its graph."""

    def answer(ids: torch.Tensor, mask: torch.Tensor) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(module(input_ids=ids, attention_mask=mask).float().numpy())

    wanted = _in_batches(classifier.tokenizer, texts, classifier._most_tokens, _ROWS, answer)
    return float(np.abs(wanted - classifier.logits(texts, batch_rows=_ROWS)).max())


def _in_batches(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], limit: int, rows: int, answer: Answer
) -> npt.NDArray[np.float32]:
    """Return the logits of texts, those of similar length together, in the order of the texts."""
    ids = encode(tokenizer, texts, limit)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    blocks = [
        answer(*_padded([ids[row] for row in order[start : start + rows]], int(tokenizer.pad_token_id)))
        for start in range(0, len(order), rows)
    ]
    found: npt.NDArray[np.float32] = np.concatenate(blocks)[np.argsort(order)]
    return found


def _padded(ids: Sequence[Sequence[int]], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids filled up to the longest row, and the mask of what is no padding."""
    rows = [torch.tensor(row) for row in ids]
    filled = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=padding)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True, padding_value=0)
    return filled, mask
