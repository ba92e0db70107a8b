"""Care for those who look: what looking cost each of them, when it is enough, and what need not be seen at all.

`limits`, `looks` and `likeness` are pure: caps as data, what follows from them, and whether a file was seen before in
another guise. `exhibits` keeps which file of the vault belongs to which event of a case, `ledger` what was looked at, `care`
puts them behind one door. No function here ranks people.

May import: model.
"""
