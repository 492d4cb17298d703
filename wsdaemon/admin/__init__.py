"""What an operator sees: metrics for Prometheus, health, and a live page, on a listener of their own."""
