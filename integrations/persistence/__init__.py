"""Records in MySQL, MariaDB or SQLite through SQLAlchemy Core and Alembic."""
