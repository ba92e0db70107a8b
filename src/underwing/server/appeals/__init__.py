"""Appeals over HTTP: platforms get tokens and ask how it ended; what a reversal asks of engine, banks and platform is
carried out. The pages are in `console/`. May import: what `server` may.
"""
