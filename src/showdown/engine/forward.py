"""From token ids to logits: what the training loop calls of the engine.

The loop passes the sequences of one micro-batch without padding. The engine decides how they are laid out in memory,
and `ForwardPath.name` says in the record which path was taken.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import cast

import torch
from torch import nn

from showdown.core.errors import Unavailable
from showdown.core.language import LanguagePath
from showdown.core.task import ForwardPath
from showdown.engine.decoder.cudnn_attention import CudnnAttention
from showdown.engine.decoder.forward import PackedForward, head_dtype, unpackable_reason
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.encoder.cpu import FastCpu
from showdown.engine.encoder.forward import PackedEncoder, unpackable_encoder_reason
from showdown.engine.language.padded import PaddedLanguageModel
from showdown.engine.parallel.divided import DividedSpread
from showdown.engine.parallel.group import Group
from showdown.engine.parallel.sharded_optimizer import ShardedOptimizerSpread
from showdown.engine.parallel.spread import PartsSpread, Spread
from showdown.engine.structure import language_model, last_token_classifier, unwrapped
from showdown.engine.virtual_tokens import VirtualTokensForward, VirtualTokensLanguageModel
from showdown.models.padding import PADDING_COUNTS, attend_without_plans, of_equal_length
from showdown.models.virtual_tokens import virtual_embedding


def padded_batch(
    sequences: Sequence[torch.Tensor], *, pad_token_id: int, device: str, spare: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids padded on the right and their attention mask, both of shape (sequences, longest + spare)."""
    ids = nn.utils.rnn.pad_sequence(list(sequences), batch_first=True, padding_value=pad_token_id)
    ids = nn.functional.pad(ids, (0, spare), value=pad_token_id)
    lengths = torch.tensor([sequence.numel() for sequence in sequences])
    mask = (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long()
    return ids.to(device, non_blocking=True), mask.to(device, non_blocking=True)


class PaddedForward(ForwardPath):
    """One row for each sequence, padded on the right to the longest: works for every network.

    A decoder is pooled here at the last real token. transformers' own head looks for the last token that is not the
    padding token, which is another token where a text itself ends with the padding token, as with pad = eos
    (https://github.com/huggingface/transformers/issues/35352). Networks that are pooled in another way get the padding
    token in their configuration, where some look for it.
    """

    name = "padded"

    def __init__(self, module: nn.Module, *, pad_token_id: int, device: str) -> None:
        self._module = module
        self._pad_token_id = pad_token_id
        self._device = device
        self._decoder = last_token_classifier(module)
        model = unwrapped(module)
        if self._decoder is None:
            model.config.pad_token_id = pad_token_id
        # T5Gemma is pooled one token after the last, so the longest row needs one more token of padding.
        self._spare = int(self._decoder is None and hasattr(model, "score") and model.config.is_encoder_decoder)

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        with FastCpu() if self._device == "cpu" else nullcontext():
            return self._logits(sequences)

    def _logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        ids, mask = padded_batch(sequences, pad_token_id=self._pad_token_id, device=self._device, spare=self._spare)
        decoder = self._decoder
        if decoder is None:
            logits: torch.Tensor = self._module(input_ids=ids, attention_mask=mask).logits
            return logits.float()
        hidden = decoder.backbone(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = mask.sum(dim=1) - 1
        pooled = hidden[torch.arange(len(sequences), device=hidden.device), last]
        pooled_logits: torch.Tensor = decoder.head(pooled.to(head_dtype(decoder.head)))
        return pooled_logits.float()


class EqualLengthsForward(ForwardPath):
    """A forward pass for each length of sequences: nothing is padded."""

    name = "rows of equal length together"

    def __init__(self, padded: PaddedForward) -> None:
        self._padded = padded

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        groups = of_equal_length([sequence.numel() for sequence in sequences])
        found = torch.cat([self._padded.logits([sequences[row] for row in rows]) for rows in groups])
        order = torch.tensor([row for rows in groups for row in rows], device=found.device)
        return found[order.argsort()]


def is_packed(module: nn.Module, device: str) -> bool:
    """Return whether `choose_forward` packs this network without padding on this device."""
    decoder = language_model(module) or last_token_classifier(module)
    if decoder is not None:
        return unpackable_reason(decoder, device) is None
    return unpackable_encoder_reason(module, device) is None


def spread_over(group: Group, module: nn.Module, *, device: str, divided: bool, whole: bool) -> Spread:
    """Lay a network on the devices of a group.

    Args:
        group: the processes, one for each device.
        module: the network, adapters included.
        device: `cpu` or `cuda`.
        divided: divide large weights among the devices all the time. Otherwise each device has all.
        whole: whether most weights learn; the optimizer's work is then divided in any case.

    Raises:
        Unavailable: when weights are to be divided of a network that the engine does not compute layer by layer.

    """
    decoder = language_model(module) or last_token_classifier(module)
    packed = decoder is not None and unpackable_reason(decoder, device) is None
    if group.size == 1 or not (divided or (whole and packed)):
        return Spread(group, module)
    if decoder is None or not packed:
        raise Unavailable(
            "the weights of this network cannot be divided among devices: it is no decoder that is packed"
        )
    layers = list(decoder.backbone.layers)[: decoder.backbone.config.num_hidden_layers]
    if divided:
        return DividedSpread(group, module, layers, device=device)
    return ShardedOptimizerSpread(group, module, layers)


def choose_forward(
    module: nn.Module,
    *,
    pad_token_id: int,
    device: str,
    recompute: bool = False,
    attention: CudnnAttention | None = None,
    spread: Spread | None = None,
) -> ForwardPath:
    """Choose the fastest forward path that is correct for this network on this device.

    Args:
        module: a transformers model for sequence classification or for causal language modelling, or PEFT's wrapper
            around one.
        pad_token_id: the token that fills short rows where rows are padded.
        device: `cpu` or `cuda`.
        recompute: checkpoint activations: keep the input of each layer alone and compute the rest again in the backward
            pass. It takes less memory and a third more arithmetic.
        attention: cuDNN's attention, for the packs of a decoder that it can compute.
        spread: how the network lies on the devices that compute it; None on a single one.

    Returns:
        A `LanguagePath` for a causal language model.

    Raises:
        Unavailable: for a wrapper around a network that the engine does not understand.

    """
    path = _chosen(module, pad_token_id, device, recompute=recompute, attention=attention, spread=spread)
    embedding = virtual_embedding(module)
    if embedding is None:
        return path
    if language_model(module) is not None:
        return VirtualTokensLanguageModel(cast(LanguagePath, path), embedding)
    return VirtualTokensForward(path, embedding)


def _chosen(
    module: nn.Module,
    pad_token_id: int,
    device: str,
    *,
    recompute: bool,
    attention: CudnnAttention | None,
    spread: Spread | None,
) -> ForwardPath:
    language, decoder = language_model(module), last_token_classifier(module)
    packed: PackedForward | PackedLanguageModel | None = None
    if language is not None and unpackable_reason(language, device) is None:
        packed = PackedLanguageModel(language, device=device, recompute=recompute, attention=attention)
    elif decoder is not None and unpackable_reason(decoder, device) is None:
        packed = PackedForward(decoder, device=device, recompute=recompute, attention=attention)
    if packed is not None:
        if isinstance(spread, PartsSpread):
            packed.divide(spread)
        return packed
    if language is None and not recompute and unpackable_encoder_reason(module, device) is None:
        return PackedEncoder(module)
    if device.startswith("cuda"):
        attend_without_plans()
    if recompute:
        # The second computation must be the same as the first: `FastCpu` is not active in the backward pass.
        ways = {"context_fn": lambda: (nullcontext(), FastCpu())} if device == "cpu" else {}
        unwrapped(module).gradient_checkpointing_enable({"use_reentrant": False, **ways})
    elif any(getattr(child, "gradient_checkpointing", False) for child in module.modules()):  # left by an earlier run
        unwrapped(module).gradient_checkpointing_disable()
    if language is not None:
        return PaddedLanguageModel(language, pad_token_id=pad_token_id, device=device)
    padded = PaddedForward(module, pad_token_id=pad_token_id, device=device)
    return EqualLengthsForward(padded) if unwrapped(module).config.model_type in PADDING_COUNTS else padded
