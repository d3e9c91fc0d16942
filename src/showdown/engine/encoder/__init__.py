"""Forward passes of encoders without padding, and fast dropout and attention on a CPU."""
