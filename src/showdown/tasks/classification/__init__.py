"""Classification: each example has one of the labels."""
