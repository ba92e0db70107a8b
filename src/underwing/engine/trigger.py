"""A harmless test: two documented phrases that trip the whole path, as EICAR and GTUBE do elsewhere."""

from underwing.model import Level

REVIEW_PHRASE = "underwing test phrase heron review"
URGENT_PHRASE = "underwing test phrase heron urgent"


def trigger_level(view: str) -> Level | None:
    """The level that a canonical view trips as a test, or None."""
    if "underwing test phrase heron" not in view:
        return None
    if f" {URGENT_PHRASE} " in view:
        return Level.urgent
    return Level.review if f" {REVIEW_PHRASE} " in view else None
