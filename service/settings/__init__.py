"""Every setting of the service: its name, default, meaning, and environment variable."""
