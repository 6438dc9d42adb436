"""From events to the cache and the queue, and what the watches missed."""
