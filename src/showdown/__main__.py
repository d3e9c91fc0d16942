"""`python -m showdown` is the command `showdown`."""

from showdown.cli import main

main()
