"""What the API server answers, whatever users have put into their objects."""
