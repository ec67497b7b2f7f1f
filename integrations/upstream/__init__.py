"""Servers that the gateway passes requests on to: RIS and PACS, report server, electronic medical record."""
