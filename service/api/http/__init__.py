"""What HTTP asks of every request and response, whatever its route and format."""
