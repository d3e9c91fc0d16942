"""Benchmarks of the verdict, the audit and the default protocol: how often they are right."""
