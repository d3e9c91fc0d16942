"""Forward and backward passes of decoders over packed sequences, without padding."""
