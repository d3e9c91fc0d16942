"""The version of the code that runs; pyproject.toml reads it from here.

The metadata of an installed package is no source for it: a source tree on PYTHONPATH has none, and may lie beside an
installed package of another version.
"""

VERSION = "0.2.0"
