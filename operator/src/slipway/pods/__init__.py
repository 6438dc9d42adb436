"""What both kinds' pods have in common: the user's overlay, and what a pod may ask for."""
