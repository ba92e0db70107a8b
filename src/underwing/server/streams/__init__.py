"""Live streams as the service has them: who asks for a watch, what is told of it, and what is done on the media server.

`guarded` says which addresses may be asked for; `store` keeps watches and actions durably; `streams` joins the watcher
processes (`live.crew`) with the engine; `acting` does what decisions ask for, beside the engine; `routes` and `hooks` are
the API, `switches` what children's streams have off. May import: what the server may.
"""
