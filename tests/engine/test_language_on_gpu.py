"""Language models on a GPU: losses, gradients, 4-bit weights and what is written, against plain transformers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_networks import DECODERS, causal, rows

from showdown.core.method import Job, NetworkOptions, Placement
from showdown.core.spec import ModelSpec, SharedProtocol
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.forward import choose_forward
from showdown.engine.graphs.cache import CudaGraphs
from showdown.engine.graphs.capture import answering_forward
from showdown.engine.language.padded import PaddedLanguageModel
from showdown.engine.structure import language_model
from showdown.models.network import load_network
from showdown.tasks.generation.objective import NextToken
from showdown.tasks.generation.task import Generation

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
LENGTHS = (40, 3, 64, 17, 33)
WIDE = {"hidden_size": 256, "head_dim": 64, "intermediate_size": 512, "query_pre_attn_scalar": 64}
OBJECTIVE = NextToken(SharedProtocol(label_smoothing=0.1))


def learned(path: Any, module: Any) -> tuple[torch.Tensor, torch.Tensor]:
    module.zero_grad(set_to_none=True)
    sequences = rows(*LENGTHS)
    targets = torch.cat([torch.cat([row[1:], torch.tensor([-100])]) for row in sequences])
    targets[:20] = -100
    loss = path.loss_sum(sequences, targets, OBJECTIVE)
    (loss / 100).backward()
    flat = [p.grad.float().flatten().cpu() for p in module.parameters() if p.grad is not None]
    return loss.detach().float().cpu(), torch.cat(flat)


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def padded(module: Any, device: str) -> PaddedLanguageModel:
    language = language_model(module)
    assert language is not None
    return PaddedLanguageModel(language, pad_token_id=0, device=device)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("chunk", [2**25, 2000])
def test_packed_is_as_near_to_float32_as_padded(
    monkeypatch: pytest.MonkeyPatch, name: str, recompute: bool, chunk: int
) -> None:
    monkeypatch.setattr("showdown.engine.language.chunks.CHUNK_LOGITS", chunk)
    exact_module = causal(name, **WIDE).train()
    exact = learned(padded(exact_module, "cpu"), exact_module)
    module = causal(name, **WIDE).to("cuda", torch.bfloat16).train()
    path = choose_forward(module, pad_token_id=0, device="cuda", recompute=recompute)
    assert isinstance(path, PackedLanguageModel)
    assert path.name == "packed varlen attention"
    for found, rival, truth in zip(learned(path, module), learned(padded(module, "cuda"), module), exact, strict=True):
        assert distance(found, truth) < max(1.5 * distance(rival, truth), 0.01)


@pytest.mark.parametrize("name", ["llama", "qwen3", "gemma3"])
def test_a_common_beginning_is_computed_once(name: str) -> None:
    module = causal(name, **WIDE).to("cuda", torch.bfloat16).train()
    path = choose_forward(module, pad_token_id=0, device="cuda")
    assert isinstance(path, PackedLanguageModel)
    path.shares_from = 0
    beginning = rows(30, seed=5)[0]
    sequences = [torch.cat([beginning, one]) for one in rows(*LENGTHS)]
    targets = torch.cat([torch.cat([one[1:], torch.tensor([-100])]) for one in sequences])
    for start in torch.tensor([0, *(len(one) for one in sequences[:-1])]).cumsum(0).tolist():
        targets[start : start + 31] = -100
    found = []
    for shares in (False, True):
        path.shares_beginnings = shares
        assert (path.lay_out(sequences, targets, -100).pack.shared is not None) == shares
        module.zero_grad(set_to_none=True)
        loss = path.loss_sum(sequences, targets, OBJECTIVE) / 100
        loss.backward()
        found.append((loss.detach(), torch.cat([p.grad.float().flatten() for p in module.parameters()])))
    assert distance(found[1][0], found[0][0]) < 0.005
    assert distance(found[1][1], found[0][1]) < 0.03


def adapted(module: Any) -> Any:
    torch.manual_seed(3)
    config = LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=["q_proj", "v_proj", "up_proj", "down_proj"])
    found = get_peft_model(module, config).to("cuda")
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return found.train()


def test_four_bits_leave_the_output_layer_and_its_tied_weight_as_they_are(tmp_path: Path) -> None:
    causal("llama", **WIDE).save_pretrained(tmp_path)
    job = Job(
        task=Generation(), labels=(), model=ModelSpec(id=str(tmp_path)), protocol=SharedProtocol(),
        placement=Placement(device="cuda", dtype="bfloat16"), seed=0,
    )  # fmt: skip
    network = load_network(tmp_path, job, NetworkOptions(four_bit=True))
    model: Any = network.module
    assert type(model.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    assert type(model.lm_head) is torch.nn.Linear
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert network.drawn == network.head_names == ()
    module = adapted(model)
    packed = learned(choose_forward(module, pad_token_id=0, device="cuda"), module)
    again = learned(choose_forward(module, pad_token_id=0, device="cuda", recompute=True), module)
    rival = learned(padded(module, "cuda"), module)
    for found in (packed, again):
        assert distance(found[0], rival[0]) < 0.01
        assert distance(found[1], rival[1]) < 0.05


class Counting:
    """Captures CUDA graphs, a new pool for each call of `write`, and counts those that could be captured."""

    def __init__(self) -> None:
        self.made, self.graphs = 0, CudaGraphs()

    def __call__(self, run: Any) -> Any:
        found = self.graphs(run)
        self.made += 1
        return found


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("lora", [False, True])
def test_each_token_that_is_written_is_the_likeliest(name: str, lora: bool) -> None:
    """Up to the rounding of bfloat16, by a forward pass over prompt and answer; graphs write the same."""
    module = causal(name, tie_word_embeddings=False, initializer_range=0.1, **WIDE).to("cuda", torch.bfloat16)
    module = adapted(module).eval() if lora else module.eval()
    path = choose_forward(module, pad_token_id=0, device="cuda")
    assert isinstance(path, PackedLanguageModel)
    beginning = rows(20, seed=5)[0]
    prompts = [torch.cat([beginning, one]).tolist() for one in rows(*LENGTHS)]
    stops = frozenset({3, 4, 5})
    launched = path.write(prompts, stop_ids=stops, most=70, batch_rows=5)
    in_threes = path.write(prompts, stop_ids=stops, most=70, batch_rows=3)
    assert sum(len(one.ids) for one in launched) > 70
    with torch.no_grad():
        for prompt, one in zip(prompts, launched, strict=True):
            if not one.ids:
                continue
            logits = path.logits([torch.tensor([*prompt, *one.ids])])[len(prompt) - 1 : -1]
            chosen = logits.gather(1, torch.tensor(one.ids, device="cuda")[:, None])[:, 0]
            assert float((logits.max(dim=1).values - chosen).max()) < 0.05 * float(logits.std())
    assert answering_forward(path) is path
    for _ in range(2):
        captures = Counting()
        path.recorder = lambda made=captures: made
        again = path.write(prompts, stop_ids=stops, most=70, batch_rows=3)
        assert [one.ids for one in again] == [one.ids for one in in_threes]
        assert captures.made >= 2
