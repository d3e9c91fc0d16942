"""The tiny pretrained models and examples of `showdown.testing`, and a job for them."""

from pathlib import Path
from typing import Any

from showdown.core.method import Job
from showdown.testing.tiny import (
    DECODERS,
    ENCODERS,
    LABELS,
    job_for,
    make_pretrained,
    separable_rows,
    tiny_tokenizer,
    write_csv,
)

__all__ = ["DECODERS", "ENCODERS", "LABELS", "job", "make_pretrained", "separable_rows", "tiny_tokenizer", "write_csv"]


def job(model: Path, **protocol: Any) -> Job:
    """A job in float32 on the CPU; all epochs are trained, unless the protocol says otherwise."""
    return job_for(model, **protocol)
