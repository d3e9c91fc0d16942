"""Worker processes: the server that forks them, and what they do first."""
