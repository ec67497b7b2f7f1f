"""The report server: a pure mapping, and the clients that store what it makes."""
