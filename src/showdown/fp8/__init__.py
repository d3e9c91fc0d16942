"""Matrix products in eight-bit floating point: frozen weights and what they meet, each row with its own scale."""
