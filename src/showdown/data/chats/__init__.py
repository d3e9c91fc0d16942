"""Prompts and answers: reading, grouping and auditing rows for a task that writes text."""
