"""A live stream becomes events: packets are read, some frames looked at, their hashes matched, and what was seen told.

`sampling` and `clock` are pure and say which frames are looked at and when they were; `source` reads packets from a URL and
names why it cannot; `eye` decodes what is wanted; `viewer` asks streams that are joined (`livekit`, `whep`) for decoded
frames; `watch` joins them for one stream; `guard` makes events of what it tells. `keeping` holds the last seconds sealed in
memory (`rolling` packets, `stills` looks, `clip` the file they make). `senses` says what plug-ins for text, speech and
guesses are; `attention` turns them to a stream, `thinker` does their work, `plugins` names them. `crew` has the processes
(`watcher`) that watch for a service.
Nothing here judges: what was seen goes into the engine's fold. May import: model, media.
"""
