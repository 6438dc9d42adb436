"""Networks with fewer weights: the smallest ones held at zero, or whole outputs taken away."""
