"""Every row of the table in `docs/architectures.md`, with a tiny random model of its kind."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from architectures import Form, make_architecture
from torch.nn import functional

from showdown.core.errors import Unavailable, UserError
from showdown.core.method import Job, TunedMethod
from showdown.engine.budget import shape_of
from showdown.engine.forward import choose_forward
from showdown.methods.table import build
from showdown.models.embedding import Embedder
from showdown.models.network import load_network, load_saved_network, network_skeleton
from showdown.models.tokens import encode, load_tokenizer, token_limit
from tiny_pretrained import job, separable_rows

DOCS = Path(__file__).parents[2] / "docs" / "architectures.md"
FORWARD = {
    "packed": "packed, attention by sequence",
    "padded": "padded",
    "equal lengths": "rows of equal length together",
}
METHODS = ("full", "lora", "dora")
ROWS = separable_rows(4)


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the table below a heading, without their back-ticks."""
    part = DOCS.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ") for line in part.splitlines() if line.startswith("| `")][1:]
    return [[cell.strip(" `") for cell in line.split(" | ")] for line in lines]


SERVED = table("Supported")
REFUSED = table("Refused")
IN_SHORT = (
    *("albert", "bert", "deberta-v2", "distilbert", "fnet", "ibert", "modernbert", "modernvbert", "xlnet"),
    *(
        "bloom",
        "deepseek_v3",
        "falcon",
        "gemma2",
        "gemma3",
        "gpt2",
        "gpt_neo",
        "gptj",
        "llama",
        "mixtral",
        "mpt",
        "opt",
    ),
    *("phimoe", "qwen3", "qwen3_next", "bart", "t5", "t5gemma"),
)
"""One of each kind of trouble, for every day; `make architectures` runs all."""
MARKED = [
    pytest.param(*row[:5], id=row[0], marks=[] if row[0] in IN_SHORT else pytest.mark.architectures) for row in SERVED
]


def test_the_table_covers_every_form() -> None:
    kinds = [row[0] for row in SERVED]
    assert len(set(kinds)) == len(kinds) >= 40
    assert {row[1] for row in SERVED} == set(get_args(Form))
    for remark in ("also takes images", "mixture of experts"):
        assert sum(remark in " ".join(row[5:]) for row in SERVED) >= 3


class Arm:
    """A method on a tiny model, and its answers."""

    def __init__(self, method: str, folder: Path, asked: Job) -> None:
        self.asked, self.folder = asked, folder
        built = build(method, {})
        assert isinstance(built, TunedMethod)
        self.method = built
        self.tokenizer = load_tokenizer(folder)
        torch.manual_seed(0)
        self.module = built.adapt(load_network(folder, asked, built.options))
        self.forward = choose_forward(self.module, pad_token_id=self.tokenizer.pad_token_id, device="cpu")
        limit = token_limit(self.tokenizer, getattr(self.module, "config", None), 512)
        ids = encode(self.tokenizer, [*ROWS.texts, "oven dough " * 200], limit)
        assert len(ids[-1]) == limit
        self.rows = [torch.tensor(row) for row in ids]

    def step(self) -> None:
        self.module.train()
        learning = [value for value in self.module.parameters() if value.requires_grad]
        optimiser = torch.optim.AdamW(learning, lr=1e-2)
        functional.cross_entropy(self.forward.logits(self.rows), torch.tensor([*ROWS.targets, 0])).backward()
        optimiser.step()
        self.module.eval()

    def reloaded(self, folder: Path) -> Any:
        self.method.save(self.module, folder)

        def load(saved: Path | None) -> Any:
            if saved is None:
                return load_network(self.folder, self.asked, self.method.options)
            return load_saved_network(saved, self.asked)

        module = self.method.reload(folder, load).eval()
        return choose_forward(module, pad_token_id=self.tokenizer.pad_token_id, device="cpu")


@pytest.mark.parametrize(("kind", "form", "forward", "full", "adapters"), MARKED)
def test_an_architecture_trains_and_comes_back(
    tmp_path: Path, kind: str, form: Form, forward: str, full: str, adapters: str
) -> None:
    """One step of each method changes the answers; saved and loaded again they are the same, padded or alone."""
    base = tmp_path / "base"
    make_architecture(kind, form, base)
    assert json.loads((base / "config.json").read_text())["model_type"] == kind
    asked = job(base)
    works = {"full": full, "lora": adapters, "dora": adapters}
    for method in METHODS:
        if works[method] != "yes":
            with pytest.raises(Unavailable, match="in a form that adapters do not go to; use full"):
                Arm(method, base, asked)
            continue
        arm = Arm(method, base, asked)
        assert arm.forward.name == FORWARD[forward]
        widths = vars(shape_of(arm.module.config)) | {"head_norms": 1}
        assert min(widths.values()) > 0
        arm.module.eval()
        with torch.no_grad():
            before = arm.forward.logits(arm.rows)
        arm.step()
        (tmp_path / method).mkdir()
        again = arm.reloaded(tmp_path / method)
        with torch.no_grad():
            after, alone = arm.forward.logits(arm.rows), torch.cat([arm.forward.logits([row]) for row in arm.rows])
            found = again.logits(arm.rows)
        assert torch.isfinite(after).all()
        assert not torch.allclose(before, after, atol=1e-3)
        torch.testing.assert_close(found, after, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(alone, after, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("kind", "why"), [row[:2] for row in REFUSED])
def test_what_cannot_be_had_is_refused_in_a_line(tmp_path: Path, kind: str, why: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(UserError, match=re.escape(why)) as caught:
        network_skeleton(tmp_path, job(tmp_path))
    assert f"`{kind}`" in str(caught.value)
    assert "choose an encoder" in str(caught.value)


@pytest.mark.parametrize("kind", ["gemma3", "modernvbert", "t5gemma2", "ultravbert"])
def test_what_sees_pictures_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    """No adapter goes there, and nothing of it learns: no text goes through."""
    forms: dict[str, Form] = {row[0]: row[1] for row in SERVED}  # type: ignore[misc]
    make_architecture(kind, forms[kind], tmp_path)
    for method in METHODS:
        module = Arm(method, tmp_path, job(tmp_path)).module
        seeing = {
            name: value for name, value in module.named_parameters() if re.search(r"vision_(tower|model)\.", name)
        }
        assert seeing
        assert not any(value.requires_grad for value in seeing.values())
        assert not any("lora_" in name for name in seeing)


@pytest.mark.parametrize("kind", ["gpt2", "ibert"])
def test_four_bits_serve_linear_layers_alone(tmp_path: Path, kind: str) -> None:
    forms: dict[str, Form] = {row[0]: row[1] for row in SERVED}  # type: ignore[misc]
    make_architecture(kind, forms[kind], tmp_path)
    with pytest.raises(
        Unavailable, match=f"`{kind}` keeps its layers in a form that bitsandbytes does not hold in four"
    ):
        Arm("qlora", tmp_path, job(tmp_path))


@pytest.mark.parametrize("kind", ["bart", "bloom", "fnet", "gemma3", "opt", "t5", "t5gemma", "xlnet"])
def test_embeddings_are_a_texts_own(tmp_path: Path, kind: str) -> None:
    """Also of networks without `hidden_size`, of encoders with a decoder behind, and beside longer texts."""
    forms: dict[str, Form] = {row[0]: row[1] for row in SERVED}  # type: ignore[misc]
    make_architecture(kind, forms[kind], tmp_path)
    embedder = Embedder(tmp_path, job(tmp_path))
    texts = ["oven", "oven dough flour bread crust yeast", "ward patient", "cockpit"]
    together = embedder.embed(texts, batch_rows=3)
    alone = np.concatenate([embedder.embed([text], batch_rows=1) for text in texts])
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(together, alone, atol=1e-5)


WINDOWED = [
    ("gemma2", "decoder", {"sliding_window": 4, "attention_dropout": 0.1, "attn_logit_softcapping": None}),
    ("starcoder2", "decoder", {"sliding_window": 4, "attention_dropout": 0.1}),
    ("olmo3", "decoder", {"sliding_window": 4, "attention_dropout": 0.1}),
    ("modernbert", "encoder", {"local_attention": 4, "attention_dropout": 0.1}),
]


@pytest.mark.parametrize(("kind", "form", "settings"), WINDOWED)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_padding_outside_every_window_is_no_nan(
    tmp_path: Path, kind: str, form: Form, settings: dict[str, Any], method: str
) -> None:
    """A long row beside a short one: the short one's padding sees no token at all."""
    make_architecture(kind, form, tmp_path, **settings)
    arm = Arm(method, tmp_path, job(tmp_path))
    arm.rows = [torch.arange(40) % 90 + 3, torch.tensor([5, 6, 7])]
    for _ in range(3):
        arm.module.train()
        arm.module.zero_grad()
        functional.cross_entropy(arm.forward.logits(arm.rows), torch.tensor([0, 1])).backward()
        gradients = [value.grad for value in arm.module.parameters() if value.grad is not None]
        assert gradients
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
