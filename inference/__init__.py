"""The core of the node: domain types, ports and the pure stages between arrival and artefact.

Nothing in here knows about a network, a database or a queue; see ARCHITECTURE.md, section 2.
"""
