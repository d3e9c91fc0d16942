"""From a file of labelled texts to three clean sides: read, clean, find copies, split, audit, write."""
