"""Parts of `benchmarks/calibration.py`: comparisons with known truth, and how often the verdict is right."""
