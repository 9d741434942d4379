"""What a training leaves for people to read: the report, drawings, the worst mistakes."""
