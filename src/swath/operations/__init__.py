"""What can be done, in one place: the API, the command line and the page all come here.

Every operation is `async def verb(context, user, ...)` and raises the errors of `errors.py`. It sees and
changes only what the user owns; what somebody else owns is not found.
"""
