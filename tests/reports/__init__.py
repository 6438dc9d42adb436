"""Reports of users of other trainers and servers, each played on the cluster as a small case.

``python -m tests.reports`` plays them and prints a table: the case, what is expected, what was
seen. A file has the cases of one subject; `tests.reports.case` says what a case is.
"""
