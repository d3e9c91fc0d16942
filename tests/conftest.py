"""What all tests share."""

import gc
import os
import signal
from pathlib import Path

import pytest

from pretrained import Pretrained

# Set before torch is imported: the tests' tensors are tiny, and threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["SHOWDOWN_EMULATE_FP8"] = "1"  # tests of products in fp8 need no GPU that has them
os.environ["SHOWDOWN_FORECAST"] = (
    "0"  # tests of forecasts ask for them; others need not wait, nor fill the user's cache
)

# A shell starts background jobs with Ctrl-C switched off, and `nohup` all with the end of a terminal: programs that are
# started from there would inherit it.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

SLOW = frozenset(Path(__file__).with_name("slow.txt").read_text(encoding="utf-8").split())
"""Files and tests that `make test-fast` leaves out (`tests/slow.py` says which)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests."""
    for item in items:
        file, _, rest = item.nodeid.partition("::")
        if file in SLOW or f"{file}::{rest.partition('[')[0]}" in SLOW:
            item.add_marker(pytest.mark.slow)


_set_aside = gc.freeze
gc.freeze = gc.unfreeze = lambda: None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Set aside what is there before each test: all other tests, and the libraries that were imported so far.

    A training begins with a full collection of garbage, which takes half a second with all that, and would put back
    what was set aside here.
    """
    gc.collect()
    _set_aside()


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    """Give the folder of a tiny pretrained model of a family, made when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            from tiny_pretrained import make_pretrained

            made[name] = tmp_path_factory.mktemp(name, numbered=False)
            make_pretrained(name, made[name])
        return made[name]

    return folder
