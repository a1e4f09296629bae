"""Bars in files: the Parquet store, the importer of other people's files, the shipped samples."""
