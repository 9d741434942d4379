"""Rows to learn from that came back from live traffic: what was asked, and what is true of it."""
