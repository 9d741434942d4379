"""JSON text to Python and numpy, within bounds."""
