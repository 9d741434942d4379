"""What a fork server of tests/forked.py has imported when a command is forked from it."""
