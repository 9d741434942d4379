"""The workflows: each runs one piece of work from beginning to end."""
