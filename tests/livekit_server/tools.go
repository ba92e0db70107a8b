//go:build tools

// Package livekitserver pins the LiveKit server that the tests run against, with the sums of all its parts.
package livekitserver

import _ "github.com/livekit/livekit-server/cmd/server"
