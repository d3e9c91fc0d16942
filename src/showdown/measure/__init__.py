"""Measurements of a run: phases, memory, load, and the environment in which it took place."""
