"""Which of several operators acts: the election by a Lease, and what its account may do there."""
