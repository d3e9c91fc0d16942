"""What `showdown plan` says: the forecast of a comparison, which need not run here, and what a budget buys of it."""
