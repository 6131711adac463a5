"""Load tests: Locust drives the LRS over HTTP, as its clients do."""
