"""Listener for the operator: metrics for Prometheus, health, and a live page."""
