"""QLoRA of a language model on a CPU: what is quantised, losses and gradients, and what is written."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_networks import causal, rows

from showdown.core.method import Job, Placement, TunedMethod
from showdown.core.spec import ModelSpec, SharedProtocol
from showdown.engine.decoder import step
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.forward import choose_forward
from showdown.methods.table import build
from showdown.models.network import load_network, load_saved_network
from showdown.tasks.generation.objective import NextToken
from showdown.tasks.generation.task import Generation

pytest.importorskip("bitsandbytes", reason="needs bitsandbytes")
WIDTHS = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16, "query_pre_attn_scalar": 16}
OBJECTIVE = NextToken(SharedProtocol())


class Quantised:
    """A tiny language model with adapters over weights in four bits."""

    def __init__(self, folder: Path, *, tied: bool, dtype: str = "float32") -> None:
        causal("llama", tie_word_embeddings=tied, initializer_range=0.3, **WIDTHS).save_pretrained(folder)
        self.job = Job(
            task=Generation(), labels=(), model=ModelSpec(id=str(folder)), protocol=SharedProtocol(),
            placement=Placement(device="cpu", dtype=dtype), seed=0,
        )  # fmt: skip
        built = build("qlora", {})
        assert isinstance(built, TunedMethod)
        self.method, self.folder = built, folder
        self.network = load_network(folder, self.job, built.options)
        declared = built.declared_parameters(self.network)
        torch.manual_seed(0)
        self.module: Any = built.adapt(self.network)
        learning = [value for value in self.module.parameters() if value.requires_grad]
        assert sum(value.numel() for value in learning) == declared
        with torch.no_grad():
            for value in learning:
                value.add_(torch.randn_like(value) * 0.1)
        path = choose_forward(self.module, pad_token_id=0, device="cpu")
        assert isinstance(path, PackedLanguageModel)
        self.path = path

    @property
    def model(self) -> Any:
        return self.module.get_base_model()


@pytest.mark.parametrize("tied", [True, False])
def test_losses_and_gradients_are_those_of_transformers(tmp_path: Path, tied: bool) -> None:
    made = Quantised(tmp_path, tied=tied)
    assert made.network.head_names == made.network.drawn == ()
    assert type(made.model.lm_head) is torch.nn.Linear
    assert (made.model.lm_head.weight is made.model.model.embed_tokens.weight) == tied
    assert type(made.model.model.layers[0].mlp.up_proj.base_layer).__name__ == "Linear4bit"
    sequences = rows(9, 4, 12)
    targets = torch.cat([torch.cat([row[1:], torch.tensor([-100])]) for row in sequences])
    targets[:5] = -100
    learning = [value for value in made.module.parameters() if value.requires_grad]
    logits = torch.cat([made.module(input_ids=row[None]).logits[0] for row in sequences])
    expected = OBJECTIVE.loss_sum(logits, targets)
    wanted = torch.autograd.grad(expected, learning)
    for recompute in (False, True):
        path = choose_forward(made.module, pad_token_id=0, device="cpu", recompute=recompute)
        loss = path.loss_sum(sequences, targets, OBJECTIVE)
        torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-5)
        made.module.zero_grad(set_to_none=True)
        loss.backward()
        for value, gradient in zip(learning, wanted, strict=True):
            torch.testing.assert_close(value.grad, gradient, atol=1e-4, rtol=1e-4)


def test_it_writes_what_transformers_generates_and_comes_back(tmp_path: Path) -> None:
    made = Quantised(tmp_path / "base", tied=False)
    made.module.eval()
    prompts = [row.tolist() for row in rows(9, 4, 12)]
    settings: Any = {"stop_ids": frozenset(), "most": 20, "batch_rows": 3}
    written = [list(one.ids) for one in made.path.write(prompts, **settings)]
    for prompt, found in zip(prompts, written, strict=True):
        ids = made.module.generate(
            input_ids=torch.tensor([prompt]), do_sample=False, min_new_tokens=20, max_new_tokens=20, pad_token_id=0,
            eos_token_id=None,
        )  # fmt: skip
        assert ids[0, len(prompt) :].tolist() == found
    assert len({token for one in written for token in one}) > 5
    saved = tmp_path / "saved"
    saved.mkdir()
    made.method.save(made.module, saved)
    assert not any("lm_head" in name or "embed" in name for name in saved_names(saved))

    def load(folder: Path | None) -> Any:
        if folder is None:
            return load_network(made.folder, made.job, made.method.options)
        return load_saved_network(folder, made.job)

    again: Any = choose_forward(made.method.reload(saved, load).eval(), pad_token_id=0, device="cpu")
    assert [list(one.ids) for one in again.write(prompts, **settings)] == written


def test_it_writes_in_bfloat16_what_it_writes_with_weights_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Quantised(tmp_path, tied=False, dtype="bfloat16")
    made.module.eval()
    prompts = [row.tolist() for row in rows(9, 4, 12)]

    def written() -> list[list[int]]:
        path: Any = choose_forward(made.module, pad_token_id=0, device="cpu")
        return [list(one.ids) for one in path.write(prompts, stop_ids=frozenset(), most=20, batch_rows=3)]

    arranged = written()
    monkeypatch.setattr(step, "packs", lambda dtype: False)
    assert arranged == written()
    assert len({token for one in arranged for token in one}) > 5


def saved_names(folder: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        return list(file.keys())
