"""A comparison to begin with, written from a look at the data and the machine."""
