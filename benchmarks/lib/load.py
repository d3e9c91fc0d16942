"""Clients that ask a server again as soon as it has answered, and what they saw.

They run in this process, on the cores that the server uses too.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

Check = Callable[[int, Any], None]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs."""

    url: str
    """Without a path."""
    pid: int
    """Of its process."""


@dataclass
class Seen:
    """What clients saw of one server."""

    seconds: list[float] = field(default_factory=list)
    """Of each request that was answered within the time that counts."""
    rates: list[float] = field(default_factory=list)
    """Answers a second of each turn."""
    refused: int = 0
    """Requests with another status than 200."""
    processor_ms: list[float] = field(default_factory=list)
    """Processor milliseconds of the server an answer, in each turn: they hardly depend on what else runs."""

    def add(self, other: "Seen") -> None:
        """Add what was seen in another turn."""
        self.seconds += other.seconds
        self.rates += other.rates
        self.refused += other.refused
        self.processor_ms += other.processor_ms

    def summary(self) -> dict[str, Any]:
        """Return rates and percentiles of the latency, which are null where no request was answered in time."""
        p50, p95, p99 = (
            round(1000 * float(np.percentile(self.seconds, share)), 1) if self.seconds else None
            for share in (50, 95, 99)
        )
        return {
            "requests_per_second": round(float(np.median(self.rates)), 1),
            "requests_per_second_of_each_turn": [round(rate, 1) for rate in self.rates],
            "latency_p50_ms": p50,
            "latency_p95_ms": p95,
            "latency_p99_ms": p99,
            "requests": len(self.seconds),
            "refused": self.refused,
            "server_processor_ms_per_request": round(float(np.median(self.processor_ms)), 2),
        }


def ask(
    server: Server, texts: Sequence[str], *, clients: int, seconds: float, warm_seconds: float, check: Check
) -> Seen:
    """Let clients ask, each one text at a time, and return what they saw.

    Args:
        server: answers them.
        texts: are asked for in random order.
        clients: at the same time, each with a connection of its own.
        seconds: that count.
        warm_seconds: before, which do not count.
        check: told the place of a text and the server's answer to it.

    """
    seen, answers, process = Seen(), 0, psutil.Process(server.pid)

    def counted(place: int, answer: Any) -> None:
        nonlocal answers
        answers += 1
        check(place, answer)

    before = sum(process.cpu_times()[:2])
    asyncio.run(_ask(server.url, texts, seen, clients, (warm_seconds, seconds), counted))
    seen.processor_ms.append(1000 * (sum(process.cpu_times()[:2]) - before) / max(answers, 1))
    return seen


async def _ask(
    url: str, texts: Sequence[str], seen: Seen, clients: int, times: tuple[float, float], check: Check
) -> None:
    import aiohttp

    begin = time.perf_counter() + times[0]
    end = begin + times[1]
    counted = 0

    async def client(number: int) -> None:
        nonlocal counted
        draw = random.Random(number)
        while time.perf_counter() < end:
            place = draw.randrange(len(texts))
            began = time.perf_counter()
            async with session.post(f"{url}/predict", json={"text": texts[place]}) as response:
                answer = await response.json()
            done = time.perf_counter()
            if response.status != 200:
                seen.refused += 1
                await asyncio.sleep(0.05)
                continue
            check(place, answer)
            if begin <= done < end:
                seen.seconds.append(done - began)
                counted += 1

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        await asyncio.gather(*(client(number) for number in range(clients)))
    seen.rates.append(counted / times[1])
