-- Written for SQLite, which reads 100,000 rows too slowly for a quick start:
-- packs holds the entries of id >> 10 = page as the text that the lists are
-- read from, see pack.go. A change of an entry deletes the pack of its page in
-- the same transaction, so that a pack is never older than its entries. Hits
-- are not in it and leave it alone.
--
-- The pages need ids that VACUUM keeps. The triggers look for the entry that a
-- REPLACE is going to delete, for SQLite fires no trigger for that.

-- +goose Up
CREATE TABLE packs (
    page     INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL,
    pack     BLOB    NOT NULL
);

CREATE TABLE entries_2 (
    id       INTEGER PRIMARY KEY,
    list     TEXT   NOT NULL CHECK (list IN ('allow', 'block')),
    entry    TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    owner    TEXT   NOT NULL,
    created  BIGINT NOT NULL CHECK (created BETWEEN 0 AND 253402300799000000),
    expiry   BIGINT NOT NULL CHECK (expiry BETWEEN 0 AND 253402300799000000),
    hits     BIGINT NOT NULL CHECK (hits >= 0),
    last_use BIGINT NOT NULL CHECK (last_use BETWEEN 0 AND 253402300799000000),
    UNIQUE (list, entry)
);
INSERT INTO entries_2 (list, entry, reason, owner, created, expiry, hits, last_use)
SELECT list, entry, reason, owner, created, expiry, hits, last_use FROM entries;
DROP TABLE entries;
ALTER TABLE entries_2 RENAME TO entries;

-- +goose StatementBegin
CREATE TRIGGER entries_replace BEFORE INSERT ON entries BEGIN
    DELETE FROM packs WHERE page = (SELECT id >> 10 FROM entries WHERE list = NEW.list AND entry = NEW.entry);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entries_insert AFTER INSERT ON entries BEGIN
    DELETE FROM packs WHERE page = NEW.id >> 10;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entries_update BEFORE UPDATE OF id, list, entry, reason, owner, created, expiry ON entries BEGIN
    DELETE FROM packs WHERE page IN (OLD.id >> 10, NEW.id >> 10,
        (SELECT id >> 10 FROM entries WHERE list = NEW.list AND entry = NEW.entry));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entries_delete AFTER DELETE ON entries BEGIN
    DELETE FROM packs WHERE page = OLD.id >> 10;
END;
-- +goose StatementEnd
