"""Reading a comparison from YAML and overrides, with errors that name the place and the fix."""
