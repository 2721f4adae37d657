"""Swath: lists in, very many similar API requests through proxies, one flat table out."""

__version__ = "0.1.0"
