"""The HTTP service: events in, decisions out, explanations and one live page for reviewers.

A small ASGI application of our own (a dozen routes; the hot one without a framework), one thread that alone
talks to the engine (`ingest`), and around them keys, limits, metrics, logs and the page. No message text is
ever stored, logged or shown here. May import: everything but evaluation and cli.
"""
