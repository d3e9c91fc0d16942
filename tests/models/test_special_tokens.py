"""Special tokens inside a text are text, in every kind of tokenizer."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import make_architecture
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    ByT5Tokenizer,
    CanineTokenizer,
    CTRLTokenizer,
    EsmTokenizer,
    PreTrainedTokenizerFast,
)

from showdown.core.errors import UserError
from showdown.core.method import NetworkOptions
from showdown.engine.forward import choose_forward
from showdown.models.network import load_network
from showdown.models.tokens import count_tokens, encode, literal, load_tokenizer
from showdown.tasks.classification.entailment import EntailmentClassifier
from showdown.tasks.classification.likelihood import LikelihoodClassifier
from tiny_pretrained import job

_WORDS = ["oven dough flour bread crust yeast the a with daily in html < > / s [ ] sep pad bos"] * 3
_ANGLED = ["<pad>", "</s>", "<s>", "<unk>"]


def _fast(made: Tokenizer, around: str, **names: str) -> Any:
    special = [(piece, made.token_to_id(piece)) for piece in around.split() if piece != "$A"]
    made.post_processor = processors.TemplateProcessing(single=around, special_tokens=special)
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def _unigram(*normalisers: Any) -> Any:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    if normalisers:
        made.normalizer = normalizers.Sequence(list(normalisers))
    made.train_from_iterator(_WORDS, trainers.UnigramTrainer(vocab_size=80, special_tokens=_ANGLED, unk_token="<unk>"))
    return _fast(made, "$A </s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", bos_token="<s>")


def _word_piece() -> Any:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer, made.normalizer = pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer(lowercase=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(_WORDS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return _fast(made, "[CLS] $A [SEP]", **names)


def _bpe(around: str = "<s> $A </s>") -> Any:
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        _WORDS, trainers.BpeTrainer(vocab_size=300, special_tokens=_ANGLED, initial_alphabet=alphabet)
    )
    return _fast(made, around, eos_token="</s>", bos_token="<s>", pad_token="<pad>", unk_token="<unk>")


def _gpt2() -> Any:
    """One token for the end, the beginning and the unknown."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    one = "<|endoftext|>"
    made.train_from_iterator(
        _WORDS, trainers.BpeTrainer(vocab_size=300, special_tokens=[one], initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=one, bos_token=one, unk_token=one)


def _by_words() -> Any:
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.train_from_iterator(_WORDS, trainers.WordLevelTrainer(special_tokens=_ANGLED))
    return _fast(made, "<s> $A </s>", eos_token="</s>", bos_token="<s>", pad_token="<pad>", unk_token="<unk>")


def _esm(folder: Path) -> Any:
    (folder / "letters.txt").write_text("\n".join(["<cls>", "<pad>", "<eos>", "<unk>", *"ABCDE", "<mask>"]))
    return EsmTokenizer(str(folder / "letters.txt"))


def _ctrl(folder: Path) -> Any:
    letters = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz</>")}
    words = {**letters, **{f"{letter}@@": number + 40 for letter, number in letters.items()}, "<unk>": 90}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n\n")
    return CTRLTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token="<unk>")


KINDS: dict[str, Callable[[Path], Any]] = {
    "Unigram": lambda _: _unigram(),
    "Unigram, NFKC": lambda _: _unigram(normalizers.NFKC()),
    "Unigram, lower case": lambda _: _unigram(normalizers.NFKC(), normalizers.Lowercase()),
    "WordPiece": lambda _: _word_piece(),
    "BPE": lambda _: _bpe(),
    "GPT-2": lambda _: _gpt2(),
    "words": lambda _: _by_words(),
    "bytes, slow": lambda _: ByT5Tokenizer(),
    "letters, slow": lambda _: CanineTokenizer(),
    "ESM, slow": _esm,
    "CTRL, slow": _ctrl,
}
FORMS = ("{}", "oven {} dough", "oven{}dough", "{}{}{}", " {} ", "a<b {}\n{} </", "{} oven")


@pytest.fixture(params=KINDS)
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = KINDS[request.param](tmp_path)
    folder = tmp_path / "saved"
    made.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": 2_000_000}))
    return load_tokenizer(folder)


def test_a_special_token_in_a_text_is_text(tokenizer: Any) -> None:
    """In all its spellings, and wherever it stands: the special tokens are those around the text."""
    names = {*tokenizer.all_special_tokens, *(token.content for token in tokenizer.added_tokens_decoder.values())}
    wide = {name.replace("<", "＜").replace(">", "＞") for name in names}
    spelled = sorted(names | wide | {name.upper() for name in names} | {name.lower() for name in names})
    texts = [form.replace("{}", name) for name in spelled for form in FORMS]
    marks = set(tokenizer.all_special_ids)
    if tokenizer.unk_token_id not in {tokenizer.eos_token_id, tokenizer.bos_token_id}:
        marks -= {tokenizer.unk_token_id}
    (empty,) = encode(tokenizer, [""], 512)
    around = [number for number in empty if number in marks]
    for text, ids in zip(texts, encode(tokenizer, texts, 512), strict=True):
        assert [number for number in ids if number in marks] == around, text
        assert len(ids) > len(empty), text
    assert count_tokens(tokenizer, texts) == [len(ids) for ids in encode(tokenizer, texts, 512)]


def test_other_texts_are_left_alone(tokenizer: Any) -> None:
    texts = ["oven dough", "a < b > c", "", "[ sep ]", "oven / s"]
    assert [literal(tokenizer, text) for text in texts] == texts
    plain = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    assert encode(tokenizer, texts, 512) == plain(texts, truncation=True, max_length=512)["input_ids"]


def test_an_ordinary_added_token_stays_one(tmp_path: Path) -> None:
    for name, made in (("fast", _bpe()), ("slow", _ctrl(tmp_path))):
        made.add_tokens([AddedToken("sourdough", special=False)])
        made.save_pretrained(tmp_path / name)
        number = made.convert_tokens_to_ids("sourdough")
        (ids,) = encode(load_tokenizer(tmp_path / name), ["oven sourdough"], 512)
        assert number in ids, name


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_a_text_that_holds_an_end_token_is_trained_on(tmp_path: Path, kind: str) -> None:
    make_architecture(kind, "encoder-decoder", tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    module = load_network(tmp_path, job(tmp_path), NetworkOptions()).module
    forward = choose_forward(module, pad_token_id=tokenizer.pad_token_id, device="cpu")
    rows = encode(tokenizer, ["oven </s> dough", "flour", "<s>bread</s></s>"], 80)
    logits = forward.logits([torch.tensor(row) for row in rows])
    assert torch.isfinite(logits).all()


def test_zero_shot_reads_special_tokens_as_text(pretrained: Callable[[str], Path]) -> None:
    folder = pretrained("nli")
    sentences = ["This text is about [SEP]", "This text is about baker"]
    entailment = EntailmentClassifier(folder, job(folder), sentences)
    seen: list[Any] = []
    entailment.module.register_forward_hook(lambda _, __, given, ___: seen.append(given["input_ids"]), with_kwargs=True)
    entailment.scores(["oven [SEP] dough", "oven [CLS]"], batch_rows=4)
    separators = (seen[0] == entailment.tokenizer.sep_token_id).sum(dim=1)
    assert separators.tolist() == [2] * 4
    decoder = pretrained("mistral")
    likelihood = LikelihoodClassifier(decoder, job(decoder), "</s> about {label}.")
    assert likelihood.tokenizer.eos_token_id not in likelihood.anchor


def test_tokens_beyond_the_embeddings_are_said_when_the_model_is_opened(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    made = AutoTokenizer.from_pretrained(folder)
    made.add_tokens([f"new{number}" for number in range(40)])
    made.save_pretrained(folder)
    message = r"has 3\d tokens, among them `new\d`, beyond the network's \d+ embeddings; make room with `model\.resize"
    with pytest.raises(UserError, match=message):
        load_tokenizer(folder)


def test_special_tokens_that_no_text_gives_may_lie_beyond(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pretrained("bert"), tmp_path / "model")
    made = AutoTokenizer.from_pretrained(folder)
    made.add_tokens([AddedToken(f"<image{number}>", special=True) for number in range(40)])
    made.save_pretrained(folder)
    load_tokenizer(folder)
    made.add_special_tokens({"pad_token": "<image39>"})  # which fills short rows
    made.save_pretrained(folder)
    with pytest.raises(UserError, match=r"has 1 tokens, among them `<image39>`, beyond"):
        load_tokenizer(folder)
