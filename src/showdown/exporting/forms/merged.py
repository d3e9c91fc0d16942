"""The whole network with what was learned in it, as transformers opens it without PEFT and without Showdown."""

from pathlib import Path
from typing import ClassVar

from showdown.core.artifact import MODEL_FILE
from showdown.core.files import write_json
from showdown.core.manifest import write_sizes
from showdown.core.method import TunedMethod
from showdown.core.metric import GENERATION
from showdown.core.predictor import Predictor
from showdown.core.spec import RunSpec
from showdown.exporting.form import Form, Shipped
from showdown.exporting.network import is_network, merged_network, set_greedy, tokenizer_of, virtual_refusal
from showdown.exporting.source import Source
from showdown.methods.full import Full
from showdown.methods.table import METHODS
from showdown.models.built_in import quantised_before
from showdown.models.source import public_name
from showdown.stages.artifact import open_predictor


class Merged(Form):
    """The network in safetensors, with configuration, label names and tokenizer."""

    title: ClassVar[str] = "whole network"
    summary: ClassVar[str] = "the whole network in safetensors, adapters merged in, for plain transformers and vLLM"

    def refusal(self, source: Source) -> str | None:
        """Refuse a model that is no network, and one that is more than a network."""
        return virtual_refusal(source) if is_network(source) else "trains no network of its own"

    def write(self, source: Source, folder: Path) -> Shipped:
        """Merge and save the network, and what others need beside it."""
        from showdown.models.companions import usage_code, write_tokenizer
        from showdown.models.network import quiet

        module, tokenizer = merged_network(source), tokenizer_of(source)
        job, whole = source.job, Full(Full.Settings())
        if job.task.name == GENERATION:
            assert isinstance(job.protocol.max_new_tokens, int)
            set_greedy(module, tokenizer, job.protocol.max_new_tokens)
        with quiet():
            module.save_pretrained(folder)
        usage, limit = whole.usage(module), int(tokenizer.model_max_length)
        write_tokenizer(folder, tokenizer, job, limit)
        write_sizes(folder)
        write_json(folder / MODEL_FILE, _description(source))
        code = usage_code(public_name(job.model), job, usage, tokenizer=tokenizer, limit=limit)
        return Shipped(code=code, library="transformers", notes=_notes(source))

    def open(self, source: Source, folder: Path) -> Predictor:
        """Open the saved network as any whole one."""
        return open_predictor(_as_whole(source.spec), source.job.labels, folder)


def _as_whole(spec: RunSpec) -> RunSpec:
    """Return the run as one of the method whose saved models are whole networks: so a merged one is opened."""
    name = next(name for name, place in METHODS.items() if place == f"{Full.__module__}:{Full.__name__}")
    return spec.model_copy(update={"method": name, "settings": {}, "memory": None})


def _description(source: Source) -> dict[str, object]:
    """Return what the folder says of itself, so that `showdown predict` opens it too."""
    found = source.description
    merged = _as_whole(found.spec)
    protocol = merged.protocol.model_copy(update={"scorer": None})
    return found.model_copy(
        update={
            "title": f"{found.title}, whole network",
            "spec": merged.model_copy(update={"protocol": protocol}),
        }
    ).model_dump(mode="json")


def _notes(source: Source) -> tuple[str, ...]:
    method = source.method
    assert isinstance(method, TunedMethod)
    if not (method.options.four_bit or method.options.fp8):
        return ()
    before, held = quantised_before(source.job.model), "NF4" if method.options.four_bit else "fp8"
    again = f", which had been rounded to {before} before" if before else ""
    return (
        f"The base's weights are those of {held}{again}, dequantised: the numbers that the adapter was trained beside, "
        "and not those of the base as it is published",
    )
