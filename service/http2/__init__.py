"""HTTP/2 (RFC 9113) as a server has it, on an event loop; it knows nothing of what is asked."""
