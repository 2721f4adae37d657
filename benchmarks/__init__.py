"""What Swath costs beside what people use now. `make bench`, or `python -m benchmarks`."""
