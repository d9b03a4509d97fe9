"""Versions: manifests, the stage, publishing into Git and DVC's cache, history."""
