# ruff: noqa: S106 - tokens of a tokenizer, not passwords
"""Tiny pretrained models with random weights and a tokenizer of their own, and a small separable data set.

Each model is saved as one on the hub is: a backbone with its configuration, safetensors weights and tokenizer.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from showdown.core.chat import prompt_of
from showdown.core.examples import Examples
from showdown.core.files import write_text
from showdown.core.method import Job, Placement
from showdown.core.metric import CLASSIFICATION
from showdown.core.spec import ModelSpec, SharedProtocol
from showdown.tasks.table import task_named

LABELS = ("baker", "night nurse", "pilot")
MOST_NEW_TOKENS = 12
"""More than the longest label has."""
_WORDS = {
    "baker": "oven dough flour bread crust yeast",
    "night nurse": "ward patient dose chart bandage shift",
    "pilot": "cockpit runway altitude radar flight wing",
}
_COMMON = "the a with daily many years kept near old new"
_SENTENCES = [*_WORDS.values(), _COMMON, *LABELS, "This text is about baker. Resume of a pilot about"]
_WIDTH = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 80,
    "initializer_range": 0.2,
}
_DECODER = {**_WIDTH, "num_key_value_heads": 2, "head_dim": 16}
_CHAT_POSITIONS = 512
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_NARROW = {**_WIDTH, "hidden_size": 32, "intermediate_size": 48}
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert", _WIDTH),
    "distilbert": (
        "distilbert",
        {
            "dim": 64,
            "hidden_dim": 128,
            "n_layers": 2,
            "n_heads": 4,
            "max_position_embeddings": 80,
            "initializer_range": 0.2,
        },
    ),
    "roberta": ("roberta", _WIDTH),
    "deberta": (
        "deberta-v2",
        {**_WIDTH, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8},
    ),
    "modernbert": ("modernbert", {**_WIDTH, "global_attn_every_n_layers": 2, "local_attention": 8}),
}
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _DECODER),
    "mistral": ("mistral", {**_DECODER, "sliding_window": None}),
    "mistral-window": ("mistral", {**_DECODER, "sliding_window": 6}),
    "qwen2": ("qwen2", _DECODER),
    "gemma": ("gemma2", {**_DECODER, "sliding_window": 64, "query_pre_attn_scalar": 16}),
}


_OTHERS: dict[str, tuple[str, dict[str, Any]]] = {"nli": ("bert", _WIDTH), "bert-narrow": ("bert", _NARROW)}


def make_pretrained(name: str, folder: Path, *, chat: bool = False) -> None:
    """Write a model of a family into a new folder; equal names give equal weights.

    Args:
        name: of the family.
        folder: an existing, empty one.
        chat: whether it is a decoder that knows chats: with a template, and positions for a few examples in a prompt.

    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    tokenizer = tiny_tokenizer("chat" if chat else "decoder" if name in DECODERS else "encoder")
    kind, settings = {**ENCODERS, **DECODERS, **_OTHERS}[name]
    if chat:
        settings = {**settings, "max_position_embeddings": _CHAT_POSITIONS}
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer) + 4,  # room to spare, as the real ones have; Qwen's tokenizer adds a padding token
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        **settings,
    )
    if name == "nli":
        config.id2label = {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}
        config.label2id = {label: index for index, label in config.id2label.items()}
        model = AutoModelForSequenceClassification.from_config(config)
    else:
        model = (AutoModelForCausalLM if name in DECODERS else AutoModel).from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def tiny_tokenizer(kind: Literal["encoder", "decoder", "seq2seq", "chat"]) -> Any:
    """A tokenizer of this file's words: as BERT has it, as Llama has it, one that ends each text as T5's does, or one
    with the chat template of Qwen and SmolLM2."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if kind == "encoder":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        made.train_from_iterator(_SENTENCES, trainers.WordLevelTrainer(special_tokens=special))
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, mask_token="[MASK]", **names)
    more = {"seq2seq": ["<pad>"], "chat": ["<|im_start|>", "<|im_end|>"]}
    special = ["<unk>", "<s>", "</s>", *more.get(kind, [])]
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [f" {sentence}" for sentence in _SENTENCES],
        trainers.BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=alphabet),
    )
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    if kind == "seq2seq":
        made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
        return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=80, pad_token="<pad>", **names)
    if kind == "chat":
        made.decoder = decoders.ByteLevel()
        names = {**names, "eos_token": "<|im_end|>"}
        return PreTrainedTokenizerFast(
            tokenizer_object=made,
            model_max_length=_CHAT_POSITIONS,
            chat_template=_CHAT_TEMPLATE,
            additional_special_tokens=["<|im_start|>", "</s>"],
            **names,
        )
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    # As Llama and Mistral have it: no token for padding.
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=80, **names)


def separable_rows(count: int, *, start: int = 0) -> Examples:
    """Texts of 2 to 8 words, two or three of which are a label's own; labels take turns."""
    common = itertools.cycle(_COMMON.split())
    texts, targets = [], []
    for row in range(start, start + count):
        own = _WORDS[LABELS[row % 3]].split()
        words = [own[(row * 5 + turn * 7 + row // 6) % 6] for turn in range(2 + row % 2)]
        words += [next(common) for _ in range((row * 4) % 6)]
        texts.append(" ".join(words))
        targets.append(row % 3)
    row_ids = tuple(range(start + 1, start + count + 1))
    return Examples(texts=tuple(texts), targets=tuple(targets), row_ids=row_ids, duplicate_groups=row_ids)


def chat_rows(count: int, *, start: int = 0) -> Examples:
    """The texts of `separable_rows` as prompts, each behind the same system message; the label is the wanted answer."""
    rows = separable_rows(count, start=start)
    return Examples(
        texts=tuple(prompt_of(text, system="a pilot, a baker") for text in rows.texts),
        answers=tuple(LABELS[target] for target in rows.targets),
        row_ids=rows.row_ids,
        duplicate_groups=rows.duplicate_groups,
    )


def write_csv(path: Path, rows: Examples, labels: Sequence[str] = LABELS) -> Path:
    """Write rows as a CSV with the columns `text` and `label`."""
    lines = [f"{text},{labels[target]}" for text, target in zip(rows.texts, rows.targets, strict=True)]
    write_text(path, "\n".join(["text,label", *lines]) + "\n")
    return path


def job_for(model: Path, task: str = CLASSIFICATION, **protocol: Any) -> Job:
    """A job in float32 on the CPU; all epochs are trained, unless the protocol says otherwise."""
    return Job(
        task=task_named(task),
        labels=LABELS if task == CLASSIFICATION else (),
        model=ModelSpec(id=str(model)),
        protocol=SharedProtocol(**{"patience_epochs": None, "max_new_tokens": MOST_NEW_TOKENS, **protocol}),
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )
