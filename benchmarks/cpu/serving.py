"""Load of `showdown serve` on the loopback, beside transformers' `pipeline` behind FastAPI.

    python -m benchmarks.cpu.serving --out benchmarks/results
    python -m benchmarks.cpu.serving --soak-minutes 30 --variant soak --out benchmarks/results

All servers have the same fully fine-tuned all-MiniLM-L6-v2 (the quickstart's, trained here for two epochs, or that of
`--model`), cut texts after as many tokens, and run under the same uvicorn, each in a process of its own. Clients ask
for one resume at a time and again once it is answered. Servers are loaded in turns, one at a time, and clients share
the cores with the server. A turn in which other processes used over a tenth of the processors is taken again, for
twenty minutes at most (`--most-others`, `--patience-minutes`). Every label is compared with that of `Model.predict` on
the text alone.

With `--soak-minutes` one server is loaded all the time, and its memory is sampled every five seconds. Growth is the
slope of a line through the samples after the first minute.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.lib.load import Seen, Server, ask
from benchmarks.lib.plain_server import FORMS
from benchmarks.lib.quiet import Quiet, spent
from benchmarks.lib.result import ROOT, argument_parser, write_result
from benchmarks.lib.texts import different_texts
from showdown import api
from showdown.core.artifact import read_description
from showdown.measure.load import LoadMeter
from showdown.prediction.load import load_model
from showdown.prediction.model import Model, Prediction

CLIENTS = {1: 1.0, 32: 3.0, 256: 8.0}
"""How many at the same time, and for how many seconds they ask before what they see counts."""
TEXTS = 128
COMPARED = 32
"""Clients at which the best plain server is chosen."""
OURS = "showdown serve"
START_SECONDS = 120.0
SAMPLE_SECONDS = 5.0
SETTLED_SECONDS = 60.0
MB = 1e6


class Expected:
    """The labels and scores of texts that are answered alone, and how far a server's answers were from them."""

    def __init__(self, alone: Sequence[Prediction]) -> None:
        self._alone = alone
        self.other_labels, self.largest_difference = 0, 0.0

    def check(self, place: int, answer: Any) -> None:
        """Compare an answer of either server."""
        found = answer["answers"][0] if "answers" in answer else answer
        self.other_labels += found["label"] != self._alone[place].label
        self.largest_difference = max(self.largest_difference, abs(found["score"] - self._alone[place].score))

    def summary(self) -> dict[str, float]:
        """Return how far answers were from those of the model alone."""
        return {"other_labels": self.other_labels, "largest_difference_of_scores": self.largest_difference}


def answered_alone(model: Path, texts: Sequence[str]) -> list[Prediction]:
    """Return the model's answer to each text by itself."""
    opened = load_model(model)
    assert isinstance(opened, Model)
    return [opened.predict([text])[0] for text in texts]


def trained(folder: Path) -> Path:
    """Train the model of the benchmark, and return its folder."""
    comparison = ROOT / "comparisons" / "quickstart.yaml"
    api.run(str(comparison), output=folder, methods=["full"], overrides=["protocol.epochs=2"])
    return next(folder.glob("runs/full-*/artifact"))


@contextlib.contextmanager
def serving(name: str, model: Path, most_tokens: int) -> Iterator[Server]:
    """Start a server, and end it at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    if name == OURS:
        words = ["showdown", "serve", str(model), "--port", port]
    else:
        words = ["benchmarks.lib.plain_server", str(model), "--form", name, "--most-tokens", str(most_tokens)]
        words += ["--port", port]
    process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/openapi.json", process)
        yield Server(url=f"http://127.0.0.1:{port}", pid=process.pid)
    finally:
        (process.terminate if name == OURS else process.kill)()
        process.wait(60)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a server answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError(f"no answer at {url}")


class Comparison:
    """Showdown's server and plain ones, loaded in turns with one model."""

    def __init__(self, model: Path, texts: Sequence[str], seconds: float, quiet: Quiet) -> None:
        """Prepare.

        Args:
            model: folder of the network.
            texts: to ask for.
            seconds: that count of each turn.
            quiet: decides which turns are kept.

        """
        most_tokens = read_description(model).max_tokens
        assert most_tokens is not None
        self.model, self.most_tokens, self.texts, self.seconds, self.quiet = model, most_tokens, texts, seconds, quiet
        alone = answered_alone(model, texts)
        self.expected = {name: Expected(alone) for name in (OURS, *FORMS)}
        self.seen = {name: {clients: Seen() for clients in CLIENTS} for name in (OURS, *FORMS)}

    def turn(self, name: str, server: Server, clients: int) -> None:
        """Load a server."""
        one = partial(
            ask, server, self.texts, clients=clients, seconds=self.seconds, warm_seconds=CLIENTS[clients],
            check=self.expected[name].check,
        )  # fmt: skip
        seen = self.seen[name][clients]
        seen.add(self.quiet.turn(one))
        print(f"{name}, {clients} clients: {seen.rates[-1]:.1f}/s, others {self.quiet.shares[-1]:.2f}", flush=True)

    def best_plain(self) -> str:
        """Return the plain form that answers most at 32 clients."""
        for name in FORMS:
            with serving(name, self.model, self.most_tokens) as server:
                self.turn(name, server, COMPARED)
        return max(FORMS, key=lambda name: self.seen[name][COMPARED].rates[0])

    def run(self, turns: int) -> dict[str, Any]:
        """Load Showdown's server and the best plain one in turns."""
        best = self.best_plain()
        forms = {name: self.seen[name][COMPARED].summary() for name in FORMS}
        self.seen[best] = {clients: Seen() for clients in CLIENTS}  # what it was chosen by would flatter it
        names = (OURS, best)
        with contextlib.ExitStack() as stack:
            servers = {name: stack.enter_context(serving(name, self.model, self.most_tokens)) for name in names}
            for turn in range(turns):
                for clients in CLIENTS:
                    for name in names if turn % 2 else names[::-1]:
                        self.turn(name, servers[name], clients)
        found: dict[str, Any] = {
            name: {
                **{f"{clients} clients": self.seen[name][clients].summary() for clients in CLIENTS},
                **self.expected[name].summary(),
            }
            for name in names
        }
        return {
            "most_tokens": self.most_tokens,
            "processor_share_of_others": self.quiet.shares,
            "turns_taken_again": self.quiet.again,
            "plain forms at 32 clients, one turn": forms,
            "best_plain": best,
            **found,
            **{f"{clients} clients, ratios": ratios(found[OURS], found[best], clients) for clients in CLIENTS},
        }


def ratios(ours: dict[str, Any], plain: dict[str, Any], clients: int) -> dict[str, float | None]:
    """Return Showdown's rate, latencies and processor time as multiples of the plain server's."""
    key = f"{clients} clients"
    names = [name for name in ours[key] if name.endswith(("_second", "_ms", "_request"))]
    return {name: round(ours[key][name] / plain[key][name], 3) if plain[key][name] else None for name in names}


def soak(model: Path, texts: Sequence[str], minutes: float) -> dict[str, Any]:
    """Load one server all the time and sample its memory."""
    expected, samples = Expected(answered_alone(model, texts)), list[tuple[float, float]]()
    with serving(OURS, model, 0) as server:
        process, began, over = psutil.Process(server.pid), time.monotonic(), threading.Event()

        def sample() -> None:
            while not over.wait(SAMPLE_SECONDS):
                samples.append((time.monotonic() - began, process.memory_info().rss / MB))

        sampler = threading.Thread(target=sample)
        sampler.start()
        others = LoadMeter(spent)
        try:
            seen = ask(
                server, texts, clients=COMPARED, seconds=60 * minutes, warm_seconds=CLIENTS[COMPARED],
                check=expected.check,
            )  # fmt: skip
        finally:
            share = others.read()
            over.set()
            sampler.join()
    settled = np.array([one for one in samples if one[0] > SETTLED_SECONDS])
    slope = float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0]) * 3600 if len(settled) > 1 else None
    by_minute = {str(int(at // 60)): round(mb, 1) for at, mb in samples}
    return {
        "minutes": minutes,
        "processor_share_of_others": share,
        "clients": COMPARED,
        **seen.summary(),
        **expected.summary(),
        "memory_mb_at_the_end_of_each_minute": list(by_minute.values()),
        "memory_growth_mb_an_hour": None if slope is None else round(slope, 1),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--model", type=Path, help="a saved, fully fine-tuned network; by default one is trained")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="that count of each turn")
    parser.add_argument("--soak-minutes", type=float, default=0.0)
    parser.add_argument("--most-others", type=float, default=0.1, help="share of the processors that others may use")
    parser.add_argument("--patience-minutes", type=float, default=20.0, help="for turns that are quiet enough")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with this process
    texts = different_texts("resumes")[0][:TEXTS]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or trained(Path(folder) / "out")
        if options.soak_minutes:
            found = soak(model, texts, options.soak_minutes)
        else:
            until = time.monotonic() + 60 * options.patience_minutes
            quiet = Quiet(most=options.most_others, until=until)
            found = Comparison(model, texts, options.seconds, quiet).run(options.turns)
    for name, one in found.items():
        print(name, one)
    write_result(options, found)


if __name__ == "__main__":
    main()
