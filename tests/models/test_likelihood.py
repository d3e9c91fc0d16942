"""Zero-shot by likelihood: one forward pass a row gives what a pass for each label gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from showdown.core.errors import UserError
from showdown.methods.zero_shot import way_for
from showdown.tasks.classification.entailment import EntailmentClassifier
from showdown.tasks.classification.likelihood import LikelihoodClassifier
from tiny_pretrained import LABELS, job, separable_rows

TEMPLATE = "Resume of a {label}"


def one_label_at_a_time(classifier: LikelihoodClassifier, text: str) -> np.ndarray:
    """Score each label in a forward pass of its own, with no mask but the causal one."""
    found = []
    prefix = classifier.tokenizer(text)["input_ids"] + classifier.anchor
    for index in range(len(LABELS)):
        own = classifier.tail.tokens[classifier.tail.owners == index]
        tokens = torch.cat([torch.tensor(prefix), own])[None]
        with torch.no_grad():
            logits = classifier.module(input_ids=tokens, use_cache=False).logits[0].float()
        each = torch.log_softmax(logits[len(prefix) - 1 : -1], dim=-1)
        found.append(float(each[torch.arange(len(own)), own].double().mean()))
    return np.array(found)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "gemma"])
def test_one_pass_a_row_equals_one_pass_a_label(pretrained: Callable[[str], Path], family: str) -> None:
    folder = pretrained(family)
    classifier = LikelihoodClassifier(folder, job(folder, max_tokens=60), TEMPLATE)
    texts = separable_rows(4).texts
    scores = classifier.scores(texts, batch_rows=1)
    expected = np.stack([one_label_at_a_time(classifier, text) for text in texts])
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert len({round(value, 6) for value in scores[0]}) == len(LABELS)


def test_texts_stay_inside_a_sliding_window(pretrained: Callable[[str], Path]) -> None:
    folder = pretrained("gemma")
    classifier = LikelihoodClassifier(folder, job(folder, max_tokens=80), TEMPLATE)
    longest = int(classifier.tail.offsets.max()) + 1
    assert classifier.text_limit + len(classifier.anchor) + longest == classifier.module.config.sliding_window == 64


def test_a_template_longer_than_the_limit_is_refused(pretrained: Callable[[str], Path]) -> None:
    folder = pretrained("llama")
    with pytest.raises(UserError, match=r"protocol.max_tokens is 8"):
        LikelihoodClassifier(folder, job(folder, max_tokens=8), "the a with daily many years kept near {label}")


def test_entailment_scores_are_the_softmax_of_each_pair_alone(pretrained: Callable[[str], Path]) -> None:
    folder = pretrained("nli")
    sentences = [TEMPLATE.replace("{label}", label) for label in LABELS]
    classifier = EntailmentClassifier(folder, job(folder, max_tokens=60), sentences)
    texts = separable_rows(3).texts
    together = classifier.scores(texts, batch_rows=16)
    apart = classifier.scores(texts, batch_rows=1)
    np.testing.assert_allclose(together, apart, atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1.0)


def test_the_way_follows_from_what_the_model_was_made_for(pretrained: Callable[[str], Path]) -> None:
    ways = {name: way_for(pretrained(name)) for name in ("nli", "llama", "bert")}
    assert ways == {"nli": "entailment", "llama": "log-likelihood", "bert": "similarity"}
