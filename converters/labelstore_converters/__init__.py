"""The built-in converters, one file or folder per format."""
