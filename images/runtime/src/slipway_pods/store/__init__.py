"""The store and other servers, as the programs in pods use them."""
