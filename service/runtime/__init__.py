"""What runs: loaded versions, and their way in and out of service."""
