"""Sealed envelopes that only k of n trustees open together, and the log that proves what was there when.

canonical, shamir, merkle and note need the standard library alone: `ebid-verify` carries them to a loser's desk.
envelope, hpke, trustee and signing use `cryptography`. The same envelope is made in a browser by static/ebid-seal.js.
"""
