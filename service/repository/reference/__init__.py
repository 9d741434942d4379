"""What the rows look like that a version was measured with: bins and counts for each field.

Training writes it beside the card; the service counts live rows by the same bins.
"""
