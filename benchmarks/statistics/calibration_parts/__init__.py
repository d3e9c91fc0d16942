"""Parts of the benchmark `calibration`: comparisons whose truth is known, and how often the verdict is right."""
