"""A saved model behind HTTP: its rows are answered in batches by one thread, and what is too much is refused."""
