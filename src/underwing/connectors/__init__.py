"""What a decision asks of a stream, done on a media server: one file a server, behind one small door.

Each says which actions its server can do; what it cannot is told, never passed over in silence. May import: model.
"""

from underwing.connectors.addresses import control_at
from underwing.connectors.control import STREAM_ACTIONS, Control, ControlError, Done, carry_out, take_back

__all__ = ["STREAM_ACTIONS", "Control", "ControlError", "Done", "carry_out", "control_at", "take_back"]
