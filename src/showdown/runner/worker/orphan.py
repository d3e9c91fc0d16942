"""A process that must not outlive the one that it works for."""

import os
import threading
from collections.abc import Callable


def end_without(parent: int, waits: Callable[[], object]) -> None:
    """End this process, from a thread of its own, when its parent is gone.

    Args:
        parent: process id of the parent, by which an end before this call is seen, too.
        waits: takes a moment, and returns something true to end the process all the same.

    """

    def watch() -> None:
        while os.getppid() == parent and not waits():
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
