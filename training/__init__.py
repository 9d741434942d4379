"""Understudy's offline half: trains models and publishes them as versions that the service takes.

Of the service it imports ``service.repository`` alone, so that what is published is exactly what
will be read.
"""
