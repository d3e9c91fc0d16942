"""How a check fails."""


class NonConformance(AssertionError):
    """A method does not do what every method must do."""


def require(holds: bool, message: str) -> None:
    """Raise where something does not hold, also where Python runs without assertions.

    Raises:
        NonConformance: with the message.

    """
    if not holds:
        raise NonConformance(message)
