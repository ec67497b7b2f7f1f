"""The whole line against real servers: Orthanc, Redis, MariaDB, HAPI FHIR and Nginx."""
