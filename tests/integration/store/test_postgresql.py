"""PostgreSQL as it is found in the world: URLs of several hosts, servers that refuse, stop, or come back elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from indicia.domain.errors import Unavailable
from indicia.store import loading, postgresql
from indicia.store.database import NEWEST_SCHEMA, Database, place_of
from tests import postgres
from tests.integration.stores import BLOCK, domains, faults, listed, run_import, submit, titles


class TestUrls:
    @pytest.mark.parametrize(
        "written, hosts, ports, shown",
        [
            ("postgresql://u:pw@a,b/n", "a,b", "5432,5432", "postgresql://u:***@a,b/n?target_session_attrs=read-write"),
            (
                "postgresql://u@a:1,b:2/n?target_session_attrs=any",
                "a,b",
                "1,2",
                "postgresql://u@a:1,b:2/n?target_session_attrs=any",
            ),
            (
                "postgres://[::1],[fe80::2]:77/n",
                "::1,fe80::2",
                "5432,77",
                "postgresql://[::1],[fe80::2]:77/n?target_session_attrs=read-write",
            ),
        ],
    )
    def test_several_hosts_are_those_of_libpq(self, written: str, hosts: str, ports: str, shown: str) -> None:
        made = postgresql.parse(written)
        assert (made.query["host"], made.query["port"]) == (hosts, ports)
        assert postgresql.shown(made) == place_of(written).shown == shown
        assert postgresql.parse(shown).query == made.query, "what is shown can be given again"

    @pytest.mark.parametrize(
        "written", ["postgresql://u:p%40w@h:99/n", "postgresql://u:p@w@h:99/n", "postgresql+psycopg://u:p@w@h:99/n"]
    )
    def test_one_host_is_as_everywhere(self, written: str) -> None:
        made = postgresql.parse(written)
        assert (made.username, made.password, made.host, made.port, made.database) == ("u", "p@w", "h", 99, "n")

    @pytest.mark.parametrize(
        "written, named",
        [
            ("postgresql://u:canary@a:x,b/n", "the port 'x' of the host a is not a number from 1 to 65535"),
            ("postgresql://u:canary@a:70000/n", "the port '70000' of the host a"),
            ("postgresql://u:canary@a:/n", "the port '' of the host a"),
            ("postgresql://u:canary@a,,b/n", "the host '' is not a name or an address"),
            ("postgresql://u:canary@[::1/n", "the host '[::1' is not a name or an address"),
            ("postgresql://u:canary@a/n?sslmod=require", "the option 'sslmod' after the ? is none of PostgreSQL's"),
            ("postgresql:/u/n", "not of the form postgresql://USER@HOST/NAME"),
        ],
    )
    def test_what_is_wrong_is_named_and_the_password_is_not(self, written: str, named: str) -> None:
        with pytest.raises(Unavailable) as told:
            Database.open(written)
        assert named in str(told.value)
        assert "canary" not in str(told.value)

    @pytest.mark.parametrize("where", ["u:canary@h/n", "h/n?password=canary", "u:canary@a,b/n?sslpassword=canary"])
    def test_no_password_is_shown(self, where: str) -> None:
        assert "canary" not in place_of(f"postgresql://{where}").shown


class TestRefusals:
    @pytest.fixture
    def opened(self, postgres_url: str) -> Iterator[Database]:
        database = Database.open(postgres_url)
        yield database
        database.close()

    def told(self, url: str) -> str:
        database = Database.open(url)
        with pytest.raises(Unavailable) as told, database.snapshot():
            pass
        database.close()
        return str(told.value)

    def test_nobody_listens(self) -> None:
        assert "cannot be reached" in self.told(f"postgresql://u:canary@127.0.0.1:{postgres.free_port()}/n")
        two = f"postgresql://u:canary@127.0.0.1:{postgres.free_port()},127.0.0.1:{postgres.free_port()}/n"
        assert "cannot be reached" in self.told(two)
        assert "canary" not in self.told(two)

    def test_no_such_database_and_no_such_user(self, postgres_server: postgres.Cluster) -> None:
        assert "does not exist; `createdb` makes one" in self.told(postgres_server.url("nothing"))
        stranger = postgres_server.url().replace("indicia@", "stranger@")
        assert "refuses its user" in self.told(stranger)

    def test_a_database_without_tables(self, postgres_server: postgres.Cluster) -> None:
        database = Database.open(postgres_server.url())
        assert not database.schema_is_current()
        with pytest.raises(Unavailable, match="indicia db upgrade"), database.snapshot() as tx:
            tx.changesets.head()
        database.close()

    def test_one_that_may_only_be_read(self, opened: Database, postgres_url: str) -> None:
        submit(opened, BLOCK)
        reading = Database.open(f"{postgres_url}?options=-c%20default_transaction_read_only%3Don")
        assert titles(reading) == {"evil.example.org": "a title"}
        with pytest.raises(Unavailable, match="may only be read"):
            submit(reading, *domains(range(2)))
        reading.close()

    def test_a_writer_that_takes_too_long_is_told(self, opened: Database, postgres_url: str) -> None:
        impatient = Database.open(postgres_url, busy_timeout_s=0.2)
        with opened.transaction(), pytest.raises(Unavailable, match="busy with another writer"):
            submit(impatient, BLOCK)
        submit(impatient, BLOCK)
        impatient.close()

    def test_rows_on_their_way_that_are_refused_are_an_error_of_the_next_statement(self, opened: Database) -> None:
        rows = [(f"key-{number}",) for number in range(5_000)] * 2

        def copied_twice(statement: str | None) -> None:
            with opened.transaction() as tx:
                loading.copy_rows(tx.connection, "tenants", ("id",), rows)
                if statement is not None:
                    tx.connection.exec_driver_sql(statement)

        for statement in ("SELECT 1", None):
            with pytest.raises(DBAPIError, match="pk_tenants"):
                copied_twice(statement)
        with opened.snapshot() as tx:
            assert tx.connection.exec_driver_sql("SELECT count(*) FROM tenants").scalar() == 0

    def test_a_text_with_nul_is_found_nowhere(self, opened: Database) -> None:
        submit(opened, BLOCK)
        with opened.snapshot() as tx:
            asked = "SELECT count(*) FROM indicators WHERE title = %s"
            assert tx.connection.exec_driver_sql(asked, ("a title\0",)).scalar() == 0


def kill_backends(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def cut_before(database: Database, url: str, statement: str | None) -> None:
    """Write something, and lose the connection before another *statement*, or before the commit."""
    with database.transaction() as tx:
        tx.connection.exec_driver_sql("INSERT INTO tenants VALUES ('one')")
        kill_backends(url)
        if statement is not None:
            tx.connection.exec_driver_sql(statement)


def test_a_pool_gets_over_connections_that_were_cut(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    submit(database, BLOCK)
    for _ in range(3):
        kill_backends(postgres_url)
        assert titles(database) == {"evil.example.org": "a title"}
    with pytest.raises(Unavailable, match="nothing was changed"):
        cut_before(database, postgres_url, "SELECT 1")
    assert faults(database) == []
    database.close()


def test_a_commit_whose_answer_is_lost_is_told_as_such(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    with pytest.raises(Unavailable, match="nobody can say whether it was made"):
        cut_before(database, postgres_url, None)
    assert faults(database) == []
    database.close()


def test_nodes_that_start_at_once_upgrade_once(postgres_server: postgres.Cluster) -> None:
    name = "upgraded_at_once"
    postgres.create_database(postgres_server, name, "template0")
    nodes = [Database.open(postgres_server.url(name)) for _ in range(4)]
    changed: list[bool] = []
    threads = [threading.Thread(target=lambda node=node: changed.append(node.upgrade())) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changed) == [False, False, False, True]
    assert nodes[0].schema() == NEWEST_SCHEMA
    for node in nodes:
        node.close()
    postgres.drop_database(postgres_server, name)


def test_the_second_host_is_used_when_the_first_is_gone(postgres_server: postgres.Cluster, postgres_url: str) -> None:
    two = postgres_url.replace("127.0.0.1", f"127.0.0.1:{postgres.free_port()},127.0.0.1")
    database = Database.open(two)
    submit(database, BLOCK)
    assert [each.indicator.canonical for each in listed(database)] == ["evil.example.org"]
    database.close()


@pytest.mark.slow
def test_many_rows_are_the_same_rows(postgres_url: str) -> None:
    """By COPY beside the planning, in the order of the file: what was there is changed, and said so."""
    database = Database.open(postgres_url)
    run_import(database, domains(range(0, 12_000, 2)))
    report = run_import(database, domains(range(12_000), title="new"))
    assert (report.total("created"), report.total("updated")) == (6_000, 6_000)
    assert set(titles(database).values()) == {"new"}
    again = run_import(database, domains(range(12_000), title="new"))
    assert again.total("unchanged") == 12_000
    assert faults(database) == []
    database.close()
