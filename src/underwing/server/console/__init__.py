"""The review console: pages for people in the browser, rendered here, with a little script on top.

`site` is the table of paths and who may ask, `visit` one request by one member, `render` turns a template into an answer,
`desk` what pages work with, `words` the interface's text, `plain` makes strangers' text harmless, `statics` serves styles
and scripts, `guests` opens sessions by ticket. `pages` names the page modules; each has `lay(site, desk)`.

May import: model, casebook, engine, policy, banks (as the room `server`).
"""

from underwing.server.console.desk import Desk
from underwing.server.console.guests import Guests
from underwing.server.console.pages import console
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit

__all__ = ["Desk", "Guests", "Problem", "Site", "View", "Visit", "console"]
