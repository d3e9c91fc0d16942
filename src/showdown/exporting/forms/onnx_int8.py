"""An encoder as a graph of ONNX with weights of eight bits."""

import math
from pathlib import Path
from typing import ClassVar

from showdown.exporting.forms.onnx import Onnx


class OnnxInt8(Onnx):
    """The graph of the form `onnx`, its matrices in int8, activations quantised as they come."""

    title: ClassVar[str] = "ONNX, int8"
    summary: ClassVar[str] = "the same with matrices in int8 (dynamic quantisation): about a quarter of the size"
    most_gap: ClassVar[float] = math.inf
    """Numbers are rounded here on purpose; what that costs is scored."""

    def finish(self, folder: Path) -> None:
        """Quantise the written graph; the one in float32 goes."""
        import logging

        from onnxruntime.quantization import QuantType, quantize_dynamic

        from showdown.exporting.onnx_graph import GRAPH

        whole = folder / f"float32-{GRAPH}"
        (folder / GRAPH).rename(whole)
        logging.getLogger().disabled, before = True, logging.getLogger().disabled
        try:
            quantize_dynamic(whole, folder / GRAPH, weight_type=QuantType.QInt8)
        finally:
            logging.getLogger().disabled = before
        for left in folder.glob(f"float32-{GRAPH}*"):
            left.unlink()
