"""Carrying out a comparison: plan, a process a run, the folder that holds what they yield."""
