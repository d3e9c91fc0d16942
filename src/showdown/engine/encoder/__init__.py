"""Encoders, and the fast way on a CPU."""
