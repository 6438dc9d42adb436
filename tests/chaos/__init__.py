"""Faults of the cluster around the operator, under load: what it promises, and what was measured.

``python -m tests.chaos`` prints the table of docs/chaos.md; ``make test-long`` has the same.
"""
