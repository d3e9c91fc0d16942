"""What the verdict knows of written answers alone."""
