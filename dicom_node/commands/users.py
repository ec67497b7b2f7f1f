"""Commands about the people who may use the API."""

from __future__ import annotations

import sys

import click

PASSWORD = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@click.group()
def users() -> None:
    """Manage the users of the API."""


@users.command("create")
@click.argument("username")
@click.option(
    "--role",
    required=True,
    help="admin, radiologist, doctor, nurse or technician; programs get keys (POST /api/service-accounts).",
)
@PASSWORD
def create(username: str, role: str, password_stdin: bool) -> None:
    """Create a user."""
    _create(username, role, _password(password_stdin))


@users.command("create-admin")
@click.argument("username")
@PASSWORD
def create_admin(username: str, password_stdin: bool) -> None:
    """Create the first administrator."""
    _create(username, "admin", _password(password_stdin))


@users.command("create-test-users")
@click.option("--force", is_flag=True, help="Also where the database is a server, which may be a hospital's.")
@PASSWORD
def create_test_users(force: bool, password_stdin: bool) -> None:
    """Create a user for each role, named like it, with one password for all; those that exist stay as they are."""
    from dicom_node.bootstrap import build_users, prepare
    from integrations.persistence.users import PEOPLE

    settings = prepare()
    if not settings.embedded and not force:
        raise click.ClickException(
            "this node works on servers; test users there are an open door (--force makes them)"
        )
    store, password = build_users(settings), _password(password_stdin)
    there = {user.username for user in store.list()}
    for role in sorted(PEOPLE):
        if role not in there:
            store.create(role, password, role)
        click.echo(f"{role} {'is there already' if role in there else f'may log in as {role}'}")


@users.command("set-password")
@click.argument("username")
@PASSWORD
def set_password(username: str, password_stdin: bool) -> None:
    """Give a user a new password and lift a lock-out; all their sessions end."""
    from dicom_node.bootstrap import build_sessions, build_users, prepare

    settings = prepare()
    build_users(settings).set_password(username, _password(password_stdin))
    build_sessions(settings).close_all(username.lower())
    click.echo(f"password of {username} is set")


@users.command("deactivate")
@click.argument("username")
def deactivate(username: str) -> None:
    """Keep a user out from now on."""
    from dicom_node.bootstrap import build_users, prepare

    build_users(prepare()).deactivate(username)
    click.echo(f"{username} is deactivated")


@users.command("list")
def list_users() -> None:
    """List users with role and state."""
    from dicom_node.bootstrap import build_users, prepare

    for user in build_users(prepare()).list():
        click.echo(f"{user.username}\t{user.role}\t{'active' if user.active else 'deactivated'}")


def _create(username: str, role: str, password: str) -> None:
    from dicom_node.bootstrap import build_users, prepare

    build_users(prepare()).create(username, password, role)
    click.echo(f"{username} may log in as {role}")
