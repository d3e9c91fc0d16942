"""Checks of logins: whether there is a token, never which one. Nothing is sent."""

import netrc
import os
from collections.abc import Iterator
from pathlib import Path

from showdown.doctor.check import Check, note, ok
from showdown.trackers.table import TRACKERS

_OFFLINE = ("1", "true", "yes", "on")
_WANDB_HOST = "api.wandb.ai"


def account_checks() -> Iterator[Check]:
    """Yield whether the Hugging Face Hub and the trackers know who you are."""
    yield _hub()
    signs = {"wandb": _wandb, "mlflow": _mlflow}
    for name in TRACKERS:
        if name in signs:
            yield signs[name]()


def _hub() -> Check:
    from huggingface_hub import constants, get_token

    offline = os.environ.get("HF_HUB_OFFLINE", "").casefold() in _OFFLINE or constants.HF_HUB_OFFLINE
    mode = "; HF_HUB_OFFLINE is set, so that nothing is downloaded" if offline else ""
    if get_token():
        where = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "`hf auth login`"
        return ok("Hugging Face Hub", f"a token is here, by {where}{mode}")
    return note(
        "Hugging Face Hub", f"no token: public models need none{mode}", "`hf auth login` for gated ones (Llama, Gemma)"
    )


def _wandb() -> Check:
    if os.environ.get("WANDB_API_KEY") or _in_netrc(_WANDB_HOST):
        return ok("wandb", "a key is here")
    return note("wandb", "no key: runs are kept here", "`wandb login` before `showdown sync`")


def _in_netrc(host: str) -> bool:
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        return netrc.netrc(str(path)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return False


def _mlflow() -> Check:
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return ok("mlflow", "MLFLOW_TRACKING_URI is set")
    return note(
        "mlflow", "no server is named: runs are kept here", "`export MLFLOW_TRACKING_URI=...` before `showdown sync`"
    )
