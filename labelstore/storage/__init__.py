"""Bytes on disk: Parquet parts, their boundaries, digests and index. Knows no versions."""
