"""`ebid-verify`: by which a loser checks an opening at home, without network, from the public bundle and its own receipt.

`bundle` makes the bundle (the service calls it), `check` checks it, `build` packs check with the rules into one file.
Everything here needs the standard library alone. FORMAT.md describes the bundle.
"""
