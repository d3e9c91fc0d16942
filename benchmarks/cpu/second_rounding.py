"""The error of rounding weights to four bits (NF4, as QLoRA does) that were rounded to four bits before, and of others.

    python -m benchmarks.cpu.second_rounding --out benchmarks/results

Of every matrix of the shipped language model's layers, whose weights come from GGUF Q4_1; and of as many normally
distributed numbers in matrices of the same shape, as they are and rounded to Q4_1 first. An error is the norm of the
change divided by the norm of the matrix; means over the matrices.
"""

from collections.abc import Iterator
from statistics import fmean

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from safetensors import safe_open

from benchmarks.lib.result import argument_parser, write_result
from showdown.models.built_in import built_in_folder

MODEL = "smollm2-135m-instruct"
BLOCK = 32
"""Weights that share a scale and an offset in Q4_1; its 16 levels lie evenly between the least and the greatest."""


def matrices() -> Iterator[torch.Tensor]:
    """Yield the matrices of the model's layers, float32."""
    with safe_open(built_in_folder(MODEL) / "model.safetensors", "pt") as file:
        for name in sorted(file.keys()):
            if name.endswith("_proj.weight"):
                yield file.get_tensor(name).float()


def in_nf4(weight: torch.Tensor) -> torch.Tensor:
    """Round a matrix as QLoRA does: blocks of 64, their scales rounded too."""
    return dequantize_4bit(*quantize_4bit(weight.contiguous(), quant_type="nf4", compress_statistics=True))


def in_q4_1(weight: torch.Tensor) -> torch.Tensor:
    """Round a matrix as GGUF's Q4_1 does: scale and offset in float16."""
    blocks = weight.reshape(-1, BLOCK)
    low = blocks.amin(1, keepdim=True)
    step = ((blocks.amax(1, keepdim=True) - low) / 15).half().float().clamp(min=1e-8)
    low = low.half().float()
    return (torch.round((blocks - low) / step).clamp(0, 15) * step + low).reshape(weight.shape)


def error(weight: torch.Tensor, rounded: torch.Tensor) -> float:
    """Return the norm of the change over the norm of the matrix."""
    return float((rounded - weight).norm() / weight.norm())


def main() -> None:
    """Measure and write the result."""
    options = argument_parser(__file__, __doc__).parse_args()
    torch.manual_seed(0)
    errors: dict[str, list[float]] = {
        key: [] for key in ("model_nf4", "normal_nf4", "normal_q4_1", "normal_q4_1_then_nf4", "normal_both")
    }
    for weight in matrices():
        normal = torch.randn_like(weight)
        once = in_q4_1(normal)
        twice = in_nf4(once)
        errors["model_nf4"].append(error(weight, in_nf4(weight)))
        errors["normal_nf4"].append(error(normal, in_nf4(normal)))
        errors["normal_q4_1"].append(error(normal, once))
        errors["normal_q4_1_then_nf4"].append(error(once, twice))
        errors["normal_both"].append(error(normal, twice))
    found = {key: round(fmean(values), 4) for key, values in errors.items()}
    print(found)
    write_result(options, {"matrices": len(errors["model_nf4"]), "errors": found})


if __name__ == "__main__":
    main()
