"""The REST API: thin routes over the operations, in the envelopes that clients of the original rely on."""
