"""What every request and response has in common, whatever its route and wire format."""
