"""Builds what of the manifests and of the chart is made from other files of the project."""
