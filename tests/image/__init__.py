"""Scripts under torchrun in a real image.

The scripts write each line by one call: `print` makes two of it where Python is unbuffered, as
under torchrun, and another process's line may come between them.
"""
