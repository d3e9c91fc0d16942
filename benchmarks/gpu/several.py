"""One network trained by several GPUs together, beside one GPU and beside the recipe with FSDP, in one call.

    python -m benchmarks.gpu.several --out benchmarks/results

The product's training loop trains classifiers with random weights, of the 7B shape and of a 13B shape, on rows of the
study's lengths. Each case runs in processes of its own, one for each GPU. Rates are over the steps after the warm-up;
`rate_over_one` compares with the case on one GPU at the same effective batch. The losses of all steps are kept. The
recipe is transformers' Trainer with `fsdp: full_shard auto_wrap` of accelerate, bfloat16 weights and activation
checkpointing, as in the study.

To try it out on a CPU: `python -m benchmarks.gpu.several --tiny`.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.lib.result import argument_parser, write_result

SHAPE_13B = {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40,
             "num_key_value_heads": 40, "vocab_size": 32000}  # fmt: skip
"""Llama-2-13B's."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to train."""

    name: str
    method: str
    processes: int
    effective_rows: int
    micro_rows: int
    steps: int
    divided: bool = False
    recompute: bool = False
    large: bool = False
    """The 13B shape."""
    recipe: bool = False
    reference: str | None = None
    """The case on one GPU with the same effective batch."""


def _cases() -> list[Case]:
    return [
        Case(name="full-1", method="full", processes=1, effective_rows=32, micro_rows=8, steps=50),
        Case(name="full-2", method="full", processes=2, effective_rows=32, micro_rows=16, steps=50, reference="full-1"),
        Case(name="full-2-passes", method="full", processes=2, effective_rows=32, micro_rows=8, steps=20, reference="full-1"),
        Case(name="lora-1", method="lora", processes=1, effective_rows=32, micro_rows=16, steps=50),
        Case(name="lora-2", method="lora", processes=2, effective_rows=32, micro_rows=16, steps=50, reference="lora-1"),
        Case(
            name="13b-full-2", method="full", processes=2, effective_rows=16, micro_rows=8, steps=12, large=True,
            divided=True, recompute=True,
        ),
        Case(
            name="recipe-full-2", method="full", processes=2, effective_rows=32, micro_rows=4, steps=8, recipe=True,
            reference="full-1",
        ),
        Case(
            name="full-2-divided", method="full", processes=2, effective_rows=32, micro_rows=8, steps=20, divided=True,
            reference="full-1",
        ),
        Case(name="full-1-again", method="full", processes=1, effective_rows=32, micro_rows=8, steps=20, reference="full-1"),
        Case(
            name="lora-2-divided", method="lora", processes=2, effective_rows=32, micro_rows=16, steps=20, divided=True,
            reference="lora-1",
        ),
        Case(
            name="recipe-13b-full-2", method="full", processes=2, effective_rows=16, micro_rows=4, steps=6, recipe=True,
            large=True,
        ),
        Case(name="full-1-rows-8", method="full", processes=1, effective_rows=8, micro_rows=8, steps=20),
        Case(
            name="full-2-rows-8", method="full", processes=2, effective_rows=8, micro_rows=8, steps=20,
            reference="full-1-rows-8",
        ),
        Case(name="13b-full-1", method="full", processes=1, effective_rows=16, micro_rows=1, steps=4, large=True,
             recompute=True),
    ]  # fmt: skip


WARMUP_STEPS = 4


def train(case: Case, rank: int, meeting: Path, *, tiny: bool) -> dict[str, Any]:
    """Train one case in this process, which is one of its group, and return what was measured."""
    import torch

    from benchmarks.lib.engine import network
    from benchmarks.lib.meter import Meter
    from benchmarks.lib.workload import LEARNING_RATE, PAD, TINY_SHAPE, WEIGHT_DECAY, training_rows, vocabulary_of
    from showdown.core.spec import SharedProtocol
    from showdown.core.task import EncodedExamples, Validation
    from showdown.engine.decoder.cudnn_attention import building_for
    from showdown.engine.forward import choose_forward, spread_over
    from showdown.engine.optim.settings import OptimizerSettings
    from showdown.engine.parallel.group import current, join, leave
    from showdown.measure.memory import memory_of
    from showdown.measure.phases import PhaseClock
    from showdown.tasks.classification.task import Classification
    from showdown.training.loop import _Loop
    from showdown.training.run import TrainingRun

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if case.processes > 1:
        join(rank, case.processes, meeting, device=device)
    shape = TINY_SHAPE if tiny else (SHAPE_13B if case.large else None)
    module = network(case.method, tiny=tiny, device=device, dropout=0.0, shape=shape).train()
    spread = spread_over(current(), module, device=device, divided=case.divided, whole=case.method == "full")
    rows = training_rows(vocabulary_of(tiny=tiny))
    building = None
    if device == "cuda" and not case.recompute:
        building = building_for(module.config, lengths=rows.lengths, micro_rows=case.micro_rows, micro_tokens=None)
    forward = choose_forward(
        module, pad_token_id=PAD, device=device, recompute=case.recompute,
        attention=building.result() if building else None, spread=spread,
    )  # fmt: skip
    protocol = SharedProtocol(
        effective_batch_rows=case.effective_rows, epochs=8, patience_epochs=None, tuning=None, warmup_steps=0,
        weight_decay=WEIGHT_DECAY, select_epoch="last",
    )  # fmt: skip
    losses: list[float] = []
    meter = Meter(device=device)

    class Watch:
        def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
            losses.append(loss)

        def say(self, message: str) -> None:
            print(message, flush=True)

    class Enough(Exception):
        pass

    class Timed(_Loop):
        tokens = 0

        def _step(self, batch: list[int]) -> None:
            super()._step(batch)
            if self.progress.step > WARMUP_STEPS:
                self.tokens += sum(self.lengths[row] for row in batch)
            if self.progress.step == WARMUP_STEPS:
                meter.begin()
            if self.progress.step == WARMUP_STEPS + case.steps:
                meter.end()
                self._read(0)
                raise Enough

    run = TrainingRun(
        task=Classification(), module=module, forward=forward,
        train=EncodedExamples(ids=[row.tolist() for row in rows.ids], targets=[(one,) for one in rows.targets]),
        validation_targets=[(0,), (1,)],
        validate=lambda: Validation(score=0.0, loss=0.0, values={"f1_macro": 0.0, Classification.score_key: 0.0}),
        protocol=protocol, micro_batch_rows=case.micro_rows,
        step=OptimizerSettings(
            weight_decay=WEIGHT_DECAY, rounding="stochastic" if case.method == "full" else "float32",
            first_place=rank * len(spread.parameters) if spread.divided else 0,
        ),
        learning_rate=LEARNING_RATE[case.method], seed=0, device=device, clock=PhaseClock(memory_of(device)),
        checkpoints=None, watcher=Watch(), spread=spread,
    )  # fmt: skip
    loop = Timed(run)
    try:
        loop.go()
    except Enough:
        pass
    found = {"tokens_per_second": loop.tokens / meter.seconds, "seconds": meter.seconds, "losses": losses,
             "path": forward.name, **meter.memory()}  # fmt: skip
    leave()
    return found


def train_recipe(case: Case, rank: int, *, tiny: bool) -> dict[str, Any]:
    """Train one case with the recipe in this process."""
    import torch

    from benchmarks.lib import recipe
    from benchmarks.lib.workload import training_rows, vocabulary_of
    from showdown.training.batches import effective_batches

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(rank)
    rows = training_rows(vocabulary_of(tiny=tiny))
    batches = [batch for epoch in range(8) for batch in effective_batches(len(rows.ids), case.effective_rows, seed=0, epoch=epoch)
               if len(batch) == case.effective_rows]  # fmt: skip
    warmup, steps = batches[:WARMUP_STEPS], batches[WARMUP_STEPS : WARMUP_STEPS + case.steps]
    if case.large and not tiny:
        from benchmarks.lib import workload

        workload.FULL_SHAPE.update(SHAPE_13B)
    found = recipe.run(
        case.method, rows, steps, warmup, tiny=tiny, device=device, dropout=0.0, grouped=False, curve=False,
        checkpointing=False, batch_rows=case.micro_rows, effective_rows=case.effective_rows, processes=case.processes,
        arguments={
            "fsdp": "full_shard auto_wrap",
            "fsdp_config": {"transformer_layer_cls_to_wrap": ["MistralDecoderLayer"], "activation_checkpointing": True},
        },
    )  # fmt: skip
    tokens = sum(rows.lengths[row] for batch in steps for row in batch)
    return {"tokens_per_second": tokens / found["seconds"], **found}


def in_processes(case: Case, *, tiny: bool, seconds: float) -> dict[str, Any]:
    """Run a case in a process for each GPU, and return what the first one found, with the largest peaks of all."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        own = os.environ.get("CUDA_VISIBLE_DEVICES", "0,1").split(",")
        running = []
        for rank in range(case.processes):
            environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "TOKENIZERS_PARALLELISM": "false"}
            if case.recipe:
                environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(case.processes),
                                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
            else:
                environment["CUDA_VISIBLE_DEVICES"] = own[rank] if rank < len(own) else own[0]
            command = [sys.executable, "-m", "benchmarks.gpu.several", "--inside", json.dumps(
                [case.name, rank, str(Path(folder) / "meeting"), str(Path(folder) / f"{rank}.json"), tiny]
            )]  # fmt: skip
            running.append(subprocess.Popen(command, env=environment, start_new_session=True))
        until = time.monotonic() + seconds
        while any(one.poll() is None for one in running):
            if time.monotonic() > until or any(one.poll() for one in running):
                time.sleep(2.0)  # for what others have to say
                for one in running:
                    if one.poll() is None:
                        os.killpg(one.pid, signal.SIGKILL)
                break
            time.sleep(0.2)
        for one in running:
            one.wait()
        found = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
    errors = [one["error"] for one in found if "error" in one]
    if errors or len(found) < case.processes:
        return {"error": errors[0] if errors else "no result: ended, or out of time"}
    peaks = {key: max(one[key] for one in found) for key in ("peak_allocated_gb", "peak_reserved_gb", "device_gb")}
    return found[0] | peaks


def _inside(given: str) -> None:
    """Be one process of a case."""
    name, rank, meeting, result, tiny = json.loads(given)
    case = next(one for one in _cases() if one.name == name)
    try:
        found = train_recipe(case, rank, tiny=tiny) if case.recipe else train(case, rank, Path(meeting), tiny=tiny)
    except BaseException as error:
        traceback.print_exc()
        found = {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"}
    Path(result).write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit("error" in found)


def main() -> None:
    """Run the cases one after the other, and write each result at once."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--cases", default="*", help="names with wildcards, by commas")
    parser.add_argument("--tiny", action="store_true", help="tiny networks, to try the benchmark out")
    parser.add_argument("--seconds", type=float, default=500.0, help="begin no case after so many seconds")
    parser.add_argument("--case-seconds", type=float, default=90.0, help="end a case after so many seconds")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _inside(options.inside)
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    began, cases = time.monotonic(), {}
    for case in _cases():
        if not any(fnmatch(case.name, pattern) for pattern in options.cases.split(",")):
            continue
        if time.monotonic() - began > options.seconds:
            print(f"no time for {case.name}", flush=True)
            continue
        found = in_processes(case, tiny=options.tiny, seconds=options.case_seconds)
        reference = cases.get(case.reference, {})
        if "tokens_per_second" in found and "tokens_per_second" in reference:
            found["rate_over_one"] = found["tokens_per_second"] / reference["tokens_per_second"]
            pairs = list(zip(found["losses"], reference["losses"], strict=False))
            found["largest_difference_of_a_loss"] = max((abs(a - b) for a, b in pairs), default=None)
            found["mean_difference_of_a_loss"] = sum(abs(a - b) for a, b in pairs) / len(pairs) if pairs else None
        cases[case.name] = {**{key: value for key, value in vars(case).items() if key != "name"}, **found}
        shown = {key: value for key, value in found.items() if key != "losses"}
        print(f"{time.monotonic() - began:.0f} s {case.name}: {json.dumps(shown)}", flush=True)
        write_result(options, {"warmup_steps": WARMUP_STEPS, "cases": cases}, device=device)


if __name__ == "__main__":
    main()
