"""The queue, its workers, and the loop that observes, plans and acts."""
