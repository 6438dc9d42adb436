"""All that asks addresses outside of the API server: pods, Prometheus, the artifact store."""
