"""A local page that follows a running comparison and becomes its report."""
