"""The report as a PDF, typeset by Typst from data: what a user wrote is never markup."""
