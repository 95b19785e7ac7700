-- Written for SQLite and PostgreSQL alike: times are microseconds since 1970
-- in UTC, 0 for "none"; an address is 16 octets (IPv4 as IPv4-mapped), empty
-- for "none"; BYTEA, which SQLite takes for a blob, is PostgreSQL's word.
-- 253402300799000000 is the end of the year 9999.

-- +goose Up
CREATE TABLE cases (
    ref       TEXT   NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL CHECK (at BETWEEN 0 AND 253402300799000000),
    client    BYTEA  NOT NULL,
    action    TEXT   NOT NULL,
    iprev     TEXT   NOT NULL,
    confirmed TEXT   NOT NULL,
    codes     TEXT   NOT NULL,
    detail    TEXT   NOT NULL
);
CREATE INDEX cases_client ON cases (client, at);
CREATE INDEX cases_at ON cases (at);

CREATE TABLE addresses (
    client         BYTEA  NOT NULL PRIMARY KEY,
    first_seen     BIGINT NOT NULL CHECK (first_seen BETWEEN 0 AND 253402300799000000),
    last_seen      BIGINT NOT NULL CHECK (last_seen BETWEEN 0 AND 253402300799000000),
    result         BIGINT NOT NULL CHECK (result BETWEEN 0 AND 4),
    negatives      BIGINT NOT NULL CHECK (negatives BETWEEN 0 AND 255),
    negative_since BIGINT NOT NULL CHECK (negative_since BETWEEN 0 AND 253402300799000000),
    negative_last  BIGINT NOT NULL CHECK (negative_last BETWEEN 0 AND 253402300799000000)
);
CREATE INDEX addresses_last_seen ON addresses (last_seen);

CREATE TABLE entries (
    list     TEXT   NOT NULL CHECK (list IN ('allow', 'block')),
    entry    TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    owner    TEXT   NOT NULL,
    created  BIGINT NOT NULL CHECK (created BETWEEN 0 AND 253402300799000000),
    expiry   BIGINT NOT NULL CHECK (expiry BETWEEN 0 AND 253402300799000000),
    hits     BIGINT NOT NULL CHECK (hits >= 0),
    last_use BIGINT NOT NULL CHECK (last_use BETWEEN 0 AND 253402300799000000),
    PRIMARY KEY (list, entry)
);
