"""Sampled requests with their answers, and what turned out to be true, in one store."""
