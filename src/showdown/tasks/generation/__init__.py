"""Generation: a language model writes an answer to each prompt."""
