-- A site of the time when a grant had no id of its own: its key is what it joins.
CREATE TABLE "user" (
    id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR
);
CREATE UNIQUE INDEX ix_user_name ON "user" (name);
CREATE TABLE application (
    id INTEGER NOT NULL PRIMARY KEY,
    image VARCHAR UNIQUE
);
CREATE TABLE application_policy (
    id INTEGER NOT NULL PRIMARY KEY,
    allow_home BOOLEAN CHECK (allow_home IN (0, 1)),
    allow_common BOOLEAN CHECK (allow_common IN (0, 1)),
    allow_view BOOLEAN CHECK (allow_view IN (0, 1)),
    volume_source VARCHAR,
    volume_target VARCHAR,
    volume_mode VARCHAR(2) CHECK (volume_mode IN ('ro', 'rw'))
);
CREATE TABLE accounting (
    user_id INTEGER NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    application_id INTEGER NOT NULL REFERENCES application (id) ON DELETE CASCADE,
    application_policy_id INTEGER NOT NULL REFERENCES application_policy (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, application_id, application_policy_id)
);

INSERT INTO "user" VALUES (1, 'alice'), (2, 'bob');
INSERT INTO application VALUES (1, 'lab/paint:1'), (2, 'lab/table:1');
INSERT INTO application_policy VALUES
    (1, 1, 0, 1, NULL, NULL, NULL),
    (2, 0, 1, 0, '/srv/lab/data', '/data', 'ro');
INSERT INTO accounting VALUES (1, 1, 1), (1, 2, 2), (2, 1, 1);
