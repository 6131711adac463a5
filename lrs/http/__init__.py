"""The HTTP shell: the edge, xAPI resources and the platform API."""
