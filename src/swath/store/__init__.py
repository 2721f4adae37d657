"""What is kept: the only SQL, and the only use of object storage.

Functions here are synchronous, take a `Connection` first, and hold one statement or one story;
`Database` decides on which thread and in which transaction they run.
"""
