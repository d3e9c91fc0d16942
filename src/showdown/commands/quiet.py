"""Silence of libraries."""


def quiet_libraries() -> None:
    """Hide warnings of libraries."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
