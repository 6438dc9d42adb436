"""What runs where torch is: the model, and servers of others around it."""
