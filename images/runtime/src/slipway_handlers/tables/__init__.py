"""Handlers of rows with named columns: `tabular` for torch's models, `sklearn` for estimators."""
