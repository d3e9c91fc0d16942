"""All records of a comparison as one flat table, a row a run."""
