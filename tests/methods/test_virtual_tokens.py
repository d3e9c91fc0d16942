"""Prompt and prefix tuning: what they compute, beside the same by hand and PEFT's, and what they refuse."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import peft
import pytest
import torch
from transformers import AttentionInterface

from showdown.core.errors import Unavailable, UserError
from showdown.engine.forward import choose_forward
from showdown.exporting.network import virtual_refusal
from showdown.methods.table import build
from showdown.models.network import load_network, network_skeleton
from showdown.models.tokens import load_tokenizer, token_limit
from showdown.models.virtual_tokens import VirtualEmbedding, VirtualLinear
from showdown.stages.artifact import predictor_with
from showdown.stages.demand import demand_of
from tiny_pretrained import job

Pretrained = Callable[[str], Path]
COUNT = 3
ROWS = [torch.tensor(ids) for ids in ([2, 5, 6, 7, 3], [2, 8, 3], [2, 9, 9, 5, 4, 6, 3])]
METHODS = ("prompt", "prefix")
AROUND = {"prompt": ("bert", "roberta", "modernbert", "deberta", "llama", "gemma"),
          "prefix": ("bert", "roberta", "distilbert", "llama", "gemma")}  # fmt: skip
PAIRS = [(method, family) for method in METHODS for family in AROUND[method]]


def adapted(name: str, folder: Path, task: str = "classification", **settings: Any) -> tuple[Any, Any]:
    """A network without dropout, with learned vectors that are those of no word, and its method."""
    method: Any = build(name, {"tokens": COUNT, **settings})
    network = load_network(folder, job(folder, task=task, dropout=0.0), method.options)
    torch.manual_seed(0)
    module: Any = method.adapt(network).eval()
    with torch.no_grad():
        for value in module.parameters():
            if value.requires_grad:
                value.add_(torch.randn_like(value) * 0.3)
    return module, method


@torch.no_grad()
def logits(module: Any, rows: list[torch.Tensor] = ROWS, *, recompute: bool = False) -> torch.Tensor:
    return choose_forward(module, pad_token_id=0, device="cpu", recompute=recompute).logits(rows)


@pytest.mark.parametrize("family", AROUND["prompt"])
def test_prompt_is_the_network_over_embeddings_with_virtual_ones_among_them(
    pretrained: Pretrained, family: str
) -> None:
    module, method = adapted("prompt", pretrained(family))
    found, words = logits(module), module.get_input_embeddings().values().detach()
    head = {name: value.clone() for name, value in module.named_parameters() if value.requires_grad}
    plain = method.strip(module)
    plain.load_state_dict(head, strict=False)
    for row, answer in zip(ROWS, found, strict=True):
        text = plain.get_input_embeddings()(row)
        parts = [words, text] if hasattr(plain, "score") else [text, words]
        with torch.no_grad():
            (expected,) = plain(
                inputs_embeds=torch.cat(parts)[None], attention_mask=torch.ones(1, len(row) + COUNT)
            ).logits
        torch.testing.assert_close(answer, expected, atol=2e-5, rtol=1e-4)


def attention_by_hand(keys: dict[int, torch.Tensor], values: dict[int, torch.Tensor]) -> Any:
    """Softmax over the keys of the prefix, shape (heads, tokens, width), and those of the text."""

    def attend(module: Any, query: Any, key: Any, value: Any, _: Any, **more: Any) -> tuple[torch.Tensor, None]:
        groups = query.shape[1] // key.shape[1]
        key, value = (
            torch.cat([prefix[id(module)][None], text], dim=2).repeat_interleave(groups, 1)
            for prefix, text in ((keys, key), (values, value))
        )
        scores = query @ key.transpose(2, 3) * (more.get("scaling") or query.shape[-1] ** -0.5)
        if getattr(module, "is_causal", False):
            later = torch.ones(scores.shape[-2:]).triu(1 + COUNT).bool()
            scores = scores.masked_fill(later, float("-inf"))
        return (scores.softmax(-1) @ value).transpose(1, 2), None

    return attend


@pytest.mark.parametrize("family", ["bert", "roberta", "llama"])
def test_prefix_is_attention_over_learned_keys_and_values_beside_those_of_the_text(
    pretrained: Pretrained, family: str
) -> None:
    module, method = adapted("prefix", pretrained(family))
    found = logits(module)
    layers = [
        child
        for child in module.modules()
        if isinstance(getattr(child, "k_proj", getattr(child, "key", None)), VirtualLinear)
    ]
    keys: dict[int, torch.Tensor] = {}
    values: dict[int, torch.Tensor] = {}
    for layer in layers:
        width = getattr(layer, "head_dim", None) or layer.attention_head_size
        for names, into in ((("k_proj", "key"), keys), (("v_proj", "value"), values)):
            linear: Any = getattr(layer, names[0], None) or getattr(layer, names[1])
            into[id(layer)] = linear.values().detach().unflatten(1, (-1, width)).transpose(0, 1)
    head = {
        name: value.clone()
        for name, value in module.named_parameters()
        if value.requires_grad and ".virtual" not in name
    }
    plain = method.strip(module)
    plain.load_state_dict(head, strict=False)
    decoder = hasattr(plain, "score")
    if decoder:  # the text's positions come after the prefix's
        cosine, sine = plain.model.rotary_emb(torch.zeros(1), torch.arange(COUNT)[None])
        keys = {name: key * cosine + turned(key) * sine for name, key in keys.items()}
    AttentionInterface.register("by hand", attention_by_hand(keys, values))
    plain.config._attn_implementation = "by hand"
    for row, answer in zip(ROWS, found, strict=True):
        places = {"position_ids": torch.arange(COUNT, COUNT + len(row))[None], "use_cache": False} if decoder else {}
        with torch.no_grad():
            (expected,) = plain(input_ids=row[None], **places).logits
        torch.testing.assert_close(answer, expected, atol=2e-5, rtol=1e-4)


def turned(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_neither_other_rows_nor_padding_change_a_row(pretrained: Pretrained, method: str, family: str) -> None:
    """Packed, and padded as where activations are checkpointed."""
    module, _ = adapted(method, pretrained(family))
    alone = torch.cat([logits(module, [row]) for row in ROWS])
    for recompute in (False, True):
        torch.testing.assert_close(logits(module, recompute=recompute), alone, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", ["llama", "mistral-window"])
def test_peft_opens_a_decoders_adapter_and_answers_the_same(
    pretrained: Pretrained, tmp_path: Path, family: str, method: str
) -> None:
    """PEFT pools a padded row of a decoder with a prompt at the wrong token: each row is asked alone."""
    module, built = adapted(method, pretrained(family))
    built.save(module, tmp_path)
    base = load_network(pretrained(family), job(pretrained(family)), built.options).module
    theirs: Any = peft.PeftModel.from_pretrained(base, tmp_path).eval()
    with torch.no_grad():
        expected = torch.cat([theirs(input_ids=row[None]).logits for row in ROWS])
    torch.testing.assert_close(logits(module), expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_peft_writes_the_same_answers(pretrained: Pretrained, tmp_path: Path, method: str) -> None:
    """With its own cache of keys and values."""
    folder = pretrained("mistral")
    module, built = adapted(method, folder, task="generation")
    built.save(module, tmp_path)
    path: Any = choose_forward(module, pad_token_id=0, device="cpu")
    with torch.no_grad():
        written = path.write([row.tolist() for row in ROWS], stop_ids=frozenset(), most=6, batch_rows=2)
    base = load_network(folder, job(folder, task="generation"), built.options).module
    theirs: Any = peft.PeftModel.from_pretrained(base, tmp_path).eval()
    for row, one in zip(ROWS, written, strict=True):
        asked = {"input_ids": row[None], "attention_mask": torch.ones_like(row[None])}
        told = theirs.generate(**asked, max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0)
        assert list(one.ids) == told[0, len(row) :].tolist()


@pytest.mark.parametrize("method", METHODS)
def test_a_language_model_has_no_loss_on_virtual_tokens(pretrained: Pretrained, method: str) -> None:
    """Its logits are those of the text alone, packed and padded, and so are those that a loss is of."""
    module, _ = adapted(method, pretrained("llama"), task="generation")
    path: Any = choose_forward(module, pad_token_id=0, device="cpu")
    targets = torch.cat([torch.cat([row[1:], torch.tensor([-100])]) for row in ROWS])
    with torch.no_grad():
        found = path.logits(ROWS)
        blocks = list(path.logit_blocks(ROWS, targets))
        padded = choose_forward(module, pad_token_id=0, device="cpu", recompute=True).logits(ROWS)
    assert len(found) == sum(map(len, ROWS))
    torch.testing.assert_close(padded, found, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat([rows for rows, _ in blocks]), found[targets != -100], atol=2e-5, rtol=1e-4)
    assert torch.equal(torch.cat([wanted for _, wanted in blocks]), targets[targets != -100])


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_a_prefix_begins_as_words_in_the_networks_own_cache(pretrained: Pretrained, family: str) -> None:
    """Keys and values at first are what the network computes for words; a projection begins with them too."""
    started = {}
    for projection in (None, 8):
        method: Any = build("prefix", {"tokens": COUNT, "projection": projection})
        network = load_network(pretrained(family), job(pretrained(family), dropout=0.0), method.options)
        torch.manual_seed(0)
        module: Any = method.adapt(network)
        started[projection] = [
            child.values().detach() for child in module.modules() if isinstance(child, VirtualLinear)
        ]
    plain: Any = load_network(pretrained(family), job(pretrained(family), dropout=0.0), method.options).module.eval()
    torch.manual_seed(0)
    words = torch.randint(0, plain.get_input_embeddings().weight.shape[0], (COUNT,))
    hidden = (
        plain.base_model.embeddings(words[None])
        if family == "bert"
        else plain.model.layers[0].input_layernorm(plain.model.embed_tokens(words[None]))
    )
    layer = (
        plain.bert.encoder.layer[0].attention.self.key if family == "bert" else plain.model.layers[0].self_attn.k_proj
    )
    torch.testing.assert_close(started[None][0], layer(hidden)[0].detach(), atol=1e-5, rtol=1e-5)
    for own, projected in zip(started[None], started[8], strict=True):
        torch.testing.assert_close(own, projected)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_a_projection_is_saved_as_what_it_makes(pretrained: Pretrained, tmp_path: Path, family: str) -> None:
    folder = pretrained(family)
    module, method = adapted("prefix", folder, projection=8)
    method.save(module, tmp_path)
    again = method.reload(tmp_path, lambda _: load_network(folder, job(folder, dropout=0.0), method.options))
    assert not any("reparametrisation" in name for name, _ in again.named_parameters())
    torch.testing.assert_close(logits(again.eval()), logits(module), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_too_many_virtual_tokens_are_refused_before_a_run(pretrained: Pretrained, method: str) -> None:
    folder = pretrained("bert")
    with pytest.raises(UserError, match=r"`tokens` is 73, and this model has 80 positions.*take at most 72") as caught:
        build(method, {"tokens": 73}).check(network_skeleton(folder, job(folder)))  # type: ignore[attr-defined]
    assert "\n" not in str(caught.value)
    build(method, {"tokens": 72}).check(network_skeleton(folder, job(folder)))  # type: ignore[attr-defined]


def test_a_prefix_that_a_window_hides_is_refused(pretrained: Pretrained) -> None:
    folder = pretrained("mistral-window")
    with pytest.raises(UserError, match=r"`tokens` is 6, and attention of this model reaches back 6 tokens; take at"):
        build("prefix", {"tokens": 6}).check(network_skeleton(folder, job(folder)))  # type: ignore[attr-defined]
    build("prefix", {"tokens": 5}).check(network_skeleton(folder, job(folder)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", ["modernbert", "deberta"])
def test_a_prefix_is_refused_where_keys_have_positions(pretrained: Pretrained, family: str) -> None:
    folder = pretrained(family)
    with pytest.raises(Unavailable, match=r"prefix tuning knows the attention of bert.*use prompt or lora") as caught:
        build("prefix", {}).check(network_skeleton(folder, job(folder)))  # type: ignore[attr-defined]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_texts_are_cut_where_virtual_tokens_need_the_positions(pretrained: Pretrained, method: str) -> None:
    """BERT has 80 positions here, and its tokenizer a limit of 64: 30 virtual tokens leave 50 to a text."""
    folder = pretrained("bert")
    module, _ = adapted(method, folder, tokens=30)
    classifier: Any = predictor_with(job(folder, max_tokens=64), module, load_tokenizer(folder))
    assert classifier.limit == 50
    assert token_limit(load_tokenizer(folder), module.config, 64) == 64
    scores = classifier.scores(["oven dough " * 60, "ward"], batch_rows=2)
    assert scores.shape == (2, 3)


@pytest.mark.parametrize("method", METHODS)
def test_virtual_tokens_count_in_the_memory_plan(pretrained: Pretrained, method: str) -> None:
    """Their numbers, gradients and moments, and their rows' lengths."""
    folder = pretrained("mistral")
    demands = []
    for tokens in (1, 5):
        built: Any = build(method, {"tokens": tokens})
        _, demand, _ = demand_of(built, network_skeleton(folder, job(folder)), job(folder), 1.0)
        demands.append(demand)
        assert built.virtual_tokens == tokens
    width = 64 if method == "prompt" else 2 * 2 * 32  # keys and values of two layers
    assert demands[1].gradient_bytes - demands[0].gradient_bytes == 4 * 4 * width
    assert demands[1].weight_bytes - demands[0].weight_bytes == 4 * 4 * width
    assert demands[1].optimizer_bytes > demands[0].optimizer_bytes


def test_the_words_of_an_embedding_are_the_networks_own() -> None:
    embedding = VirtualEmbedding(torch.nn.Embedding(5, 2), torch.nn.Parameter(torch.ones(2, 2)), count=2, behind=False)
    found = embedding(torch.tensor([[6, 4, 5]]))
    assert embedding.ids() == [5, 6]
    assert torch.equal(found[0, 0], torch.ones(2))
    assert torch.equal(found[0, 1], embedding.weight[4])


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_checkpointed_activations_give_the_same_gradients(pretrained: Pretrained, family: str) -> None:
    """A layer that is computed again finds the virtual tokens of its own pass, and makes its part of a projection."""
    module, _ = adapted("prefix", pretrained(family), projection=8)
    found = []
    for recompute in (False, True):
        module.zero_grad()
        path = choose_forward(module, pad_token_id=0, device="cpu", recompute=recompute)
        path.logits(ROWS).square().sum().backward()  # type: ignore[no-untyped-call]
        found.append({name: value.grad for name, value in module.named_parameters() if value.requires_grad})
    assert all(bool(gradient.any()) for gradient in found[0].values())
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-4, rtol=1e-3, msg=name)


def test_a_network_with_virtual_tokens_is_not_exported_whole() -> None:
    source: Any = SimpleNamespace(method=build("prompt", {}))
    assert "puts virtual tokens to every text" in str(virtual_refusal(source))
    assert virtual_refusal(cast(Any, SimpleNamespace(method=build("lora", {})))) is None
