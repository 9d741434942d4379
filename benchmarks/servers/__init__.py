"""The servers that Understudy is compared with; each is a WSGI or ASGI application of its own."""
