"""The players of the end-to-end tests: scripted origin and name server, the real proxy, raw clients."""
