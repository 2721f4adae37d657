"""A sample upstream and proxies on loopback, for `swath demo` and for the tests."""
