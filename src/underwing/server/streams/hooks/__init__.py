"""Hooks of media servers: what is published is watched, and what ends is watched no longer, without anybody asking.

`config` reads the operator's file: which servers, how each proves who it is, and how a stream follows from what a hook says.
`said` reads each kind of hook; `routes` takes them. A hook never keeps a stream from being published: it is answered 200
whatever becomes of the watch. May import: what the server may.
"""
