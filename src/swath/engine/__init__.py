"""Effects: everything that takes time, talks to the outside, or comes out differently each time."""
