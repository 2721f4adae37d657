"""The edge: JSON in and out. Nothing below knows how things are written for clients."""
