"""Appeals: whoever was restricted is told why in plain words, may object, and another person looks again.

`values` has the words, `machine` (pure) what may be done in which state, `statement` (pure) what is told and what never is,
`figures` (pure) the statistics, `tokens` how one asks without an account, `rows` all SQL, `appeals` the one door.

May import: model.
"""
