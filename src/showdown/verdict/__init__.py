"""The statistics of a comparison and the words for them. Reads finished records and predictions; runs nothing."""
