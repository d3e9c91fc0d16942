"""The text for a bug report: what was checked, without anything that says who or where you are."""

import os
import platform
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from showdown.core.version import VERSION
from showdown.doctor.check import lines_of
from showdown.doctor.examine import examine
from showdown.measure.environment import commit

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_KEY|_KEY\b|_URI\b|_DSN\b", re.IGNORECASE)
"""Environment variables whose values are taken out, wherever they stand."""
_TOKENS = re.compile(r"\b(?:hf_|sk-|ghp_|github_pat_|glpat-|xox[bap]-|AKIA)[\w-]{8,}|\b[0-9a-f]{40,}\b", re.IGNORECASE)
"""The forms of well-known tokens; a commit of this project is put in afterwards."""
_LOGIN = re.compile(r"(\b\w+://)[^/\s@]+@")
_LEAST_LETTERS = 3
"""Of a value that is taken out; shorter ones stand in ordinary words."""
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "PYTORCH_CUDA_ALLOC_CONF")
"""Whose values are shown: numbers and switches."""


def bug_report() -> str:
    """Return the text: versions, system, checks, and some switches."""
    switches = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    lines = [
        f"showdown {VERSION}",
        f"system: {platform.platform()}, Python {platform.python_implementation()} {platform.python_version()}",
        f"switches: {', '.join(switches) or 'none'}",
        "",
        *lines_of(examine()),
    ]
    kept = without_secrets("\n".join(lines), os.environ)
    return kept.replace("\n", f"\ncommit: {commit() or 'not from a checkout'}\n", 1)


def without_secrets(text: str, variables: Mapping[str, str]) -> str:
    """Return a text without tokens, logins, and the names of user, machine and folders.

    Args:
        text: what is shown to others.
        variables: of the environment.

    """
    places = {str(Path.cwd()): "FOLDER", str(Path.home()): "~"}
    names = {socket.gethostname(): "HOST", platform.node(): "HOST", Path.home().name: "USER"}
    names |= {variables[name]: "USER" for name in ("USER", "LOGNAME") if variables.get(name)}
    hidden = {value: "***" for name, value in variables.items() if _SECRET_NAME.search(name)}
    text = _TOKENS.sub("***", _LOGIN.sub(r"\1***@", text))
    for found in (hidden, places):
        for value, shown in sorted(found.items(), key=lambda one: -len(one[0])):
            if len(value) >= _LEAST_LETTERS:
                text = text.replace(value, shown)
    for value, shown in names.items():
        if len(value) >= _LEAST_LETTERS - 1:  # whole words alone
            text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", shown, text)
    return text
