"""What handlers import of TorchServe, written anew: the same names and signatures, and no more.

`__version__` is the release of TorchServe whose handlers run here unchanged.
"""

__version__ = "0.12.0"
