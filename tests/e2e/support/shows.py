"""Which demands of the RFCs a test shows. tools/conformance.py reads the decorator; at run time it does nothing."""


def shows(*_ids):
    """For a test: the entries of tests/conformance that it shows, as "9112-6.1-7"."""
    return lambda test: test
