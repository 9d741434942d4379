"""What people see of a command: lines, progress, numbers, failures as sentences."""
