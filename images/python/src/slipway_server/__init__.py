"""A server for `.mar` archives: one HTTP front, and workers that run the archive's handler.

The front never imports torch nor the archive's code, and never unpickles what a worker says. The
workers are forked from a process that has imported torch once.
"""
