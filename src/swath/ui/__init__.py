"""The web page: thin views over the operations, as the API is; whatever it can do, the API can."""
