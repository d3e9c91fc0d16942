"""A language model as one GGUF file, for llama.cpp and what is built on it."""

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from showdown.core.errors import UserError
from showdown.core.metric import GENERATION
from showdown.core.predictor import Predictor
from showdown.exporting.form import Form, Shipped
from showdown.exporting.network import base_type, is_network, merged_network, tokenizer_of, virtual_refusal
from showdown.exporting.source import Source

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FILE = "model.gguf"
_COMPARED = 16
"""Test prompts that logits are compared on."""
_CODE = """# llama.cpp: llama-cli -m model.gguf --temp 0 -cnv{system}
# Ollama: a Modelfile with `FROM ./model.gguf`. In Python, with the packages transformers and gguf:
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, texts = ".", ["a text"]
system = {text!r}
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf"){digits}
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32).eval()
answers = []
for text in texts:
    chat = [{{"role": "system", "content": system}}] if system else []
    chat.append({{"role": "user", "content": text}})
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    with torch.inference_mode():
        written = model.generate(**inputs, do_sample=False, max_new_tokens={most}, eos_token_id={stops})
    answers.append(tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip())"""
_SPLIT_DIGITS = """
# transformers reads the tokens, but not that this model sees every digit apart.
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

digits_apart = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
tokenizer.backend_tokenizer.pre_tokenizer = digits_apart"""


class Gguf(Form):
    """The network in half precision with its tokenizer and chat template."""

    title: ClassVar[str] = "GGUF, F16"
    summary: ClassVar[str] = "a language model of LLaMA's architecture in one file for llama.cpp, in half precision"
    packages: ClassVar[tuple[str, ...]] = ("gguf",)
    install: ClassVar[str] = "`pip install gguf` brings it"
    number_type: ClassVar[str] = "F16"
    """Of matrices, as `gguf` calls it."""

    def refusal(self, source: Source) -> str | None:
        """Refuse what is no language model of LLaMA's architecture."""
        if not is_network(source) or source.job.task.name != GENERATION:
            return "is no language model; GGUF is for those"
        if virtual_refusal(source):
            return virtual_refusal(source)
        from showdown.exporting.gguf_file import ARCHITECTURE, split_name

        kind = base_type(source)
        if kind != ARCHITECTURE:
            return f"has the architecture `{kind}`; GGUF is written for `{ARCHITECTURE}` alone here"
        if split_name(tokenizer_of(source)) is None:
            return "has a tokenizer that is no GPT-2 or SmolLM2 one; GGUF is written for those here"
        return None

    def write(self, source: Source, folder: Path) -> Shipped:
        """Write the file, read it again, and compare its logits with those of the trained network."""
        from gguf import GGMLQuantizationType

        from showdown.exporting.gguf_file import split_name, write_gguf
        from showdown.tasks.generation.layout import ChatLayout

        module, tokenizer = merged_network(source), tokenizer_of(source)
        name = f"{source.results.name}-{source.record.name}"
        write_gguf(folder / FILE, module, tokenizer, name, GGMLQuantizationType[self.number_type])
        read = _read_tokenizer(folder)
        layout, prompts = ChatLayout(tokenizer), source.side("test").texts[:_COMPARED]
        ids = [layout.prompt(prompt) for prompt in prompts]
        if ids != [ChatLayout(read).prompt(prompt) for prompt in prompts]:
            raise UserError("read again, the file's tokenizer gives other tokens; export the form `merged` instead")
        system, most = source.data.system or "", source.job.protocol.max_new_tokens
        return Shipped(
            code=_CODE.format(
                system=f" -sys {json.dumps(system)}" if system else "",
                text=system,
                digits=_SPLIT_DIGITS if split_name(tokenizer) == "smollm" else "",
                most=most,
                stops=sorted(layout.stop_ids),
            ),
            library="gguf",
            most_logit_difference=_most_difference(module, _read_network(source, folder), ids),
            compared_rows=len(ids),
        )

    def open(self, source: Source, folder: Path) -> Predictor:
        """Open the file as transformers reads it."""
        from showdown.stages.artifact import predictor_with

        return predictor_with(source.job, _read_network(source, folder), _read_tokenizer(folder))


def _read_network(source: Source, folder: Path) -> Any:
    """Return the network in the file, in the number type and on the device of the trained one."""
    from transformers import AutoModelForCausalLM

    from showdown.models.network import dtype_of, quiet

    placement = source.job.placement
    with quiet(), contextlib.redirect_stderr(io.StringIO()):  # a bar of progress that no setting hides
        module: Any = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=FILE, dtype=dtype_of(placement), trust_remote_code=False, local_files_only=True
        )
    return module.to(placement.device).eval()


def _read_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in the file, which splits texts as the file says."""
    from transformers import AutoTokenizer

    from showdown.models.gguf_conversion import split_as_trained
    from showdown.models.network import quiet
    from showdown.models.tokens import load_tokenizer

    with quiet(), tempfile.TemporaryDirectory() as place:
        read = AutoTokenizer.from_pretrained(folder, gguf_file=FILE, trust_remote_code=False, local_files_only=True)
        split_as_trained(read, folder / FILE)
        read.save_pretrained(place)
        return load_tokenizer(Path(place))


def _most_difference(module: "PreTrainedModel", read: "PreTrainedModel", prompts: list[list[int]]) -> float:
    """Return the largest absolute difference of a logit behind each token of the prompts."""
    import torch

    found = 0.0
    with torch.inference_mode():
        for ids in prompts:
            tokens = torch.tensor([ids], device=next(module.parameters()).device)
            gap = module(input_ids=tokens).logits.float() - read(input_ids=tokens).logits.float()
            found = max(found, float(gap.abs().max()))
    return found
