"""The conductors: each leads one piece of work from its beginning to its end."""
