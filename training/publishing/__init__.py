"""From a trained network to a published version: export, gates, and what serves."""
