"""What an export left out, beside it, so that an import can put it back.

A sidecar is a Parquet file with the rows as the store had them. With each label stand digests of
what the exported file says of it; on import, labels of which the file still says the same get
their rows back, and the others are taken as they are read.
"""
