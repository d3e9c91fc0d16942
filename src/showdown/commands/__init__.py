"""Commands of the command line that have a module of their own; `showdown.cli` lists all."""
