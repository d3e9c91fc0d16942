"""Benchmarks that run on a CPU."""
