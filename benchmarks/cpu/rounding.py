"""What full fine-tuning of the default model loses with bfloat16 weights, by how their updates are rounded.

    python -m benchmarks.cpu.rounding --out benchmarks/results

bfloat16 weights rounded to nearest (the recipe), stochastically, and with float32 master weights, beside float32
throughout: the same rows in the same order, no dropout, a constant learning rate after a short warm-up. Reported are
the mean loss of the last steps and the share of weights that changed.
"""

from typing import Any

import torch
from torch.nn import functional

from benchmarks.lib.result import argument_parser, write_result
from showdown.core.method import Job, NetworkOptions, Placement
from showdown.core.spec import DataSpec, ModelSpec, SharedProtocol
from showdown.core.split import SingleSplit
from showdown.data.prepare import prepare
from showdown.engine.forward import choose_forward
from showdown.engine.optim.adamw import AdamW
from showdown.engine.optim.settings import OptimizerSettings
from showdown.models.network import load_network
from showdown.models.source import locate
from showdown.models.tokens import encode, load_tokenizer
from showdown.tasks.classification.task import Classification
from showdown.training.batches import effective_batches

WAYS = ("float32 throughout", "nearest", "stochastic", "float32")
TOKENS, BATCH_ROWS, LAST_STEPS = 48, 8, 20


def train(way: str, *, rate: float, epochs: int) -> dict[str, Any]:
    """Train with one way of rounding; return the losses and the share of weights that changed."""
    prepared = prepare(DataSpec(), SingleSplit())
    folder, side = locate(ModelSpec()), prepared.side("train")
    job = Job(
        task=Classification(), labels=prepared.labels, model=ModelSpec(), protocol=SharedProtocol(dropout=0.0),
        placement=Placement(device="cpu", dtype="float32"), seed=0,
    )  # fmt: skip
    module = load_network(folder, job, NetworkOptions()).module
    if way != "float32 throughout":
        module.to(torch.bfloat16)
    module.train().requires_grad_(True)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    ids = encode(load_tokenizer(folder), side.texts, TOKENS)
    rounding: Any = way if way in ("stochastic", "float32") else "nearest"
    stepper = AdamW(before | dict(module.named_parameters()), OptimizerSettings(weight_decay=0.01, rounding=rounding))
    path = choose_forward(module, pad_token_id=0, device="cpu")
    losses = []
    torch.manual_seed(0)
    for epoch in range(epochs):
        for batch in effective_batches(len(ids), BATCH_ROWS, seed=0, epoch=epoch):
            stepper.begin(rate * min(1.0, (len(losses) + 1) / 10))
            logits = path.logits([torch.tensor(ids[row]) for row in batch])
            loss = functional.cross_entropy(logits, torch.tensor([side.targets[row] for row in batch]))
            loss.backward()
            stepper.end(1.0)
            losses.append(loss.item())
    matrices = [(before[name], value) for name, value in module.named_parameters() if "encoder" in name]
    moved = sum((was != now).sum().item() for was, now in matrices) / sum(was.numel() for was, _ in matrices)
    return {"last_loss": sum(losses[-LAST_STEPS:]) / LAST_STEPS, "share_of_weights_moved": moved, "losses": losses}


def main() -> None:
    """Train with every way of rounding, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument(
        "--rate", type=float, default=2e-5, help="learning rate; by default the study's for full fine-tuning"
    )
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    found = {}
    for way in WAYS:
        found[way] = train(way, rate=options.rate, epochs=options.epochs)
        print(way, {key: value for key, value in found[way].items() if key != "losses"}, flush=True)
    settings = {"rate": options.rate, "epochs": options.epochs, "tokens": TOKENS, "batch_rows": BATCH_ROWS}
    write_result(options, {"settings": settings, "ways": found})


if __name__ == "__main__":
    main()
