"""What a comparison is, what a run yields, what a method promises. Imports no torch and nothing of this package."""
