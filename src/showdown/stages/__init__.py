"""The stages of a run, each carried out in a worker process: tune, train, score."""
