"""What a library raised, for the end of a message."""


def reason_of(error: Exception) -> str:
    """Return the kind of an error and its first line, shortened."""
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')[:200]}"
