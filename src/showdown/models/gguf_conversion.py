"""The process that converts a GGUF to safetensors.

    python -m showdown.models.gguf_conversion NAME GGUF FOLDER NUMBERS_SHA256

Exit code 2, with one line on standard output, where the user can mend what went wrong.
"""

import hashlib
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.errors import UserError
from showdown.core.files import locked, sha256_of, write_folder, write_json
from showdown.models.converted import CHECKSUMS, is_whole

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_READ_RIGHT = "transformers==5.23.0 gguf==0.19.0"
"""Versions that were seen to yield the expected weights."""
_PRE_TOKENIZER = "tokenizer.ggml.pre"
_DIGITS_APART = "smollm"


def numbers_sha256(weights: "Iterable[torch.Tensor]") -> str:
    """Return the SHA-256 of a network's weights: of shapes and float32 numbers, whatever their order and names.

    Dequantising is one multiplication and one addition in float32 for each weight, the same on every processor.
    """
    each = (
        hashlib.sha256(repr(tuple(one.shape)).encode() + one.detach().float().contiguous().numpy().tobytes())
        for one in weights
    )
    return hashlib.sha256(b"".join(sorted(found.digest() for found in each))).hexdigest()


def write_safetensors(name: str, gguf_file: Path, folder: Path, expected: str) -> None:
    """Write configuration, weights, tokenizer and chat template of a GGUF, and their checksums.

    The weights are float32: bfloat16 would round the dequantised numbers a second time.

    Args:
        name: the model's name in messages.
        gguf_file: a causal language model with its tokenizer.
        folder: an existing, empty folder.
        expected: `numbers_sha256` of the weights.

    Raises:
        UserError: where the libraries read other weights from the file.

    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = {"gguf_file": gguf_file.name, "trust_remote_code": False, "local_files_only": True}
    module = AutoModelForCausalLM.from_pretrained(gguf_file.parent, dtype=torch.float32, **place)
    if numbers_sha256(module.parameters()) != expected:
        raise UserError(
            f"model `{name}`: transformers {version('transformers')} and gguf {version('gguf')} read other weights "
            f"from {gguf_file.name} than they should; `pip install {_READ_RIGHT}` brings versions that read it well"
        )
    module.hf_quantizer = None  # plain numbers from here on
    if hasattr(module.config, "quantization_config"):
        del module.config.quantization_config
    module.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(gguf_file.parent, **place)
    split_as_trained(tokenizer, gguf_file)
    tokenizer.model_max_length = module.config.max_position_embeddings
    tokenizer.save_pretrained(folder)
    write_json(folder / CHECKSUMS, {path.name: sha256_of(path) for path in sorted(folder.iterdir())})


def split_as_trained(tokenizer: "PreTrainedTokenizerBase", gguf_file: Path) -> None:
    r"""Have the tokenizer split a text into pieces as the model saw them in training.

    A GGUF names its rule. transformers 5.23 ignores it and splits as GPT-2 does, so that "\n\n1" begins with two tokens
    where the model knows one. The rule `smollm` sets every digit apart first (llama.cpp's
    `LLAMA_VOCAB_PRE_TYPE_SMOLLM`).
    """
    from gguf import GGUFReader
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    field = GGUFReader(gguf_file).fields.get(_PRE_TOKENIZER)
    if field is not None and field.contents() == _DIGITS_APART:
        pieces = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(pieces)


def main(name: str, gguf_file: Path, folder: Path, expected: str) -> None:
    """Convert a model, unless another process has just done so.

    Raises:
        UserError: as `write_safetensors`; also where the folder cannot be written.

    """
    lock = folder.with_name(f"{folder.name}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    except OSError as error:
        raise UserError(
            f"model `{name}`: cannot write {folder.parent} ({error.strerror}); set XDG_CACHE_HOME to a folder that can "
            "be written"
        ) from error
    with locked(lock):
        if not is_whole(folder):
            write_folder(
                folder,
                lambda partial: write_safetensors(name, gguf_file, partial, expected),
                at_least_bytes=gguf_file.stat().st_size,
            )


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    except UserError as refused:
        sys.stdout.write(f"{refused}\n")
        sys.exit(2)
