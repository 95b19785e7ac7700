-- Written for SQLite and PostgreSQL alike. A state is what the watch knows of a
-- target, as JSON that the store does not read.

-- +goose Up
CREATE TABLE watches (
    target TEXT   NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL CHECK (at BETWEEN 0 AND 253402300799000000),
    state  TEXT   NOT NULL
);
