"""Every row of the table of language models in `docs/architectures.md`, with a tiny random model of its kind."""

from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import make_architecture
from test_architectures import FORWARD, table

from showdown.core.errors import UserError
from showdown.core.method import Job, Placement, TunedMethod
from showdown.core.spec import ModelSpec, SharedProtocol
from showdown.engine.forward import choose_forward
from showdown.engine.language.left_padded import LEFT_PADDED
from showdown.methods.table import build
from showdown.models.network import load_network, load_saved_network, network_skeleton
from showdown.tasks.generation.objective import NextToken
from showdown.tasks.generation.task import READ_BOTH_WAYS, Generation

OBJECTIVE = NextToken(SharedProtocol())
ROWS = table("Language models")
IN_SHORT = (
    *("bart", "bloom", "falcon", "gemma2", "gpt2", "gpt_neox", "llama", "mamba", "mixtral", "opt", "phi", "phi3"),
    *("qwen3_next", "rwkv", "cohere"),
)
"""One of each kind of trouble, for every day; `make architectures` runs all."""
MARKED = [pytest.param(*row, id=row[0], marks=[] if row[0] in IN_SHORT else pytest.mark.architectures) for row in ROWS]
MOST = 5


def job_for(folder: Path) -> Job:
    return Job(
        task=Generation(),
        labels=(),
        model=ModelSpec(id=str(folder)),
        protocol=SharedProtocol(),
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )


def make_lively(kind: str, folder: Path) -> None:
    """Write a tiny model whose norms and biases matter, so that it writes more than one token over and over."""
    made = folder / "made"
    make_architecture(kind, "decoder", made)
    model: Any = load_network(made, job_for(made), build("lora", {}).options).module  # type: ignore[attr-defined]
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)


def rows(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(5, 300, (length,), generator=generator) for length in lengths]


SEQUENCES = rows(9, 3, 14, 7)
TARGETS = torch.cat([torch.cat([row[1:], torch.tensor([-100])]) for row in SEQUENCES])
TARGETS[:4] = -100


def plain_loss(model: Any) -> torch.Tensor:
    """The loss by transformers' own forward pass over each row alone."""
    logits = torch.cat([model(input_ids=row[None], use_cache=False).logits[0] for row in SEQUENCES])
    return OBJECTIVE.loss_sum(logits.float(), TARGETS)


def gradients(loss: torch.Tensor, model: Any) -> list[torch.Tensor]:
    learning = [value for value in model.parameters() if value.requires_grad]
    found = torch.autograd.grad(loss / 10, learning, allow_unused=True)
    return [torch.zeros_like(value) if one is None else one for one, value in zip(found, learning, strict=True)]


@torch.no_grad()
def likeliest(model: Any, prompt: list[int]) -> list[int]:
    """Return the likeliest next token of the whole row, again and again."""
    row = list(prompt)
    for _ in range(MOST):
        row.append(int(model(input_ids=torch.tensor([row]), use_cache=False).logits[0, -1].argmax()))
    return row[len(prompt) :]


class Arm:
    """A method on a tiny model."""

    def __init__(self, method: str, folder: Path) -> None:
        built = build(method, {})
        assert isinstance(built, TunedMethod)
        self.method, self.folder = built, folder
        torch.manual_seed(0)
        self.module: Any = built.adapt(load_network(folder, job_for(folder), built.options))
        self.forward: Any = choose_forward(self.module, pad_token_id=0, device="cpu")

    def reloaded(self, folder: Path) -> Any:
        self.method.save(self.module, folder)

        def load(saved: Path | None) -> Any:
            if saved is None:
                return load_network(self.folder, job_for(self.folder), self.method.options)
            return load_saved_network(saved, job_for(self.folder))

        return choose_forward(self.method.reload(folder, load).eval(), pad_token_id=0, device="cpu")


def test_the_table_and_the_code_agree() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS) > 100
    assert {row[0] for row in ROWS if row[2] == "left padded"} == set(LEFT_PADDED)
    assert all((row[1] == "packed") == (row[2] == "packed") for row in ROWS)
    served = Generation().architectures()
    assert {row[0] for row in ROWS} <= set(served)
    assert not set(served) & READ_BOTH_WAYS


@pytest.mark.parametrize(("kind", "forward", "writing"), MARKED)
def test_a_language_model_trains_writes_and_comes_back(tmp_path: Path, kind: str, forward: str, writing: str) -> None:
    make_lively(kind, tmp_path / "base")
    for method in ("full", "lora"):
        arm = Arm(method, tmp_path / "base")
        arm.module.eval()
        assert arm.forward.name == FORWARD[forward]
        loss = arm.forward.loss_sum(SEQUENCES, TARGETS, OBJECTIVE)
        expected = plain_loss(arm.module)
        torch.testing.assert_close(loss, expected, atol=1e-3, rtol=1e-4)
        pairs = zip(gradients(loss, arm.module), gradients(expected, arm.module), strict=True)
        for found, wanted in pairs:
            torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)
        with torch.no_grad():
            before = arm.forward.logits(SEQUENCES)
            for value in arm.module.parameters():
                if value.requires_grad:
                    value.add_(torch.randn_like(value), alpha=0.02)
            after = arm.forward.logits(SEQUENCES)
        assert torch.isfinite(after).all()
        assert not torch.allclose(before, after, atol=1e-3)
        (tmp_path / method).mkdir()
        again = arm.reloaded(tmp_path / method)
        with torch.no_grad():
            torch.testing.assert_close(again.logits(SEQUENCES), after, atol=1e-5, rtol=1e-4)
    prompts = [row.tolist() for row in SEQUENCES]
    written = arm.forward.write(prompts, stop_ids=frozenset(), most=MOST, batch_rows=4)
    assert [list(one.ids) for one in written] == [likeliest(arm.module, prompt) for prompt in prompts]
    assert writing in ("packed", "left padded", "equal lengths")


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlnet"])
def test_what_reads_both_ways_is_refused_in_a_line(tmp_path: Path, kind: str) -> None:
    make_architecture(kind, "encoder", tmp_path)
    with pytest.raises(UserError) as caught:
        network_skeleton(tmp_path, job_for(tmp_path))
    assert f"its architecture `{kind}` has no causal language model; choose a decoder" in str(caught.value)
