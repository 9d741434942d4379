"""The comparison of networks that over- and underfit."""
