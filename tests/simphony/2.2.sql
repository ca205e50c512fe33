-- 2.2, and all that can be wrong in it: no name, a name that is none, rows that lead nowhere.
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
    app_license VARCHAR,
    allow_home BOOLEAN CHECK (allow_home IN (0, 1)),
    allow_common BOOLEAN CHECK (allow_common IN (0, 1)),
    allow_view BOOLEAN CHECK (allow_view IN (0, 1)),
    volume_source VARCHAR,
    volume_target VARCHAR,
    volume_mode VARCHAR(2) CHECK (volume_mode IN ('ro', 'rw')),
    allow_startup_data BOOLEAN CHECK (allow_startup_data IN (0, 1))
);
CREATE TABLE accounting (
    id VARCHAR(32) NOT NULL PRIMARY KEY,
    user_id INTEGER REFERENCES "user" (id) ON DELETE CASCADE,
    application_id INTEGER REFERENCES application (id) ON DELETE CASCADE,
    application_policy_id INTEGER REFERENCES application_policy (id) ON DELETE CASCADE,
    UNIQUE (user_id, application_id, application_policy_id)
);

INSERT INTO "user" VALUES
    (1, 'alice'), (2, 'Bob'), (3, NULL), (4, 'Dora Host'), (5, 'root'), (6, CAST(x'ff' AS TEXT));
INSERT INTO application VALUES
    (1, 'lab/paint:1'), (2, NULL), (3, 'no image'), (4, 'lab/table:1');
INSERT INTO application_policy VALUES
    (1, 'key-4711', 1, 0, 1, NULL, NULL, NULL, 1),
    (2, NULL, 0, 1, 0, '/srv/lab/data', '/data', 'rw', 0),
    (3, NULL, 0, 1, 0, '/srv/lab/data', NULL, 'rw', 0),
    (4, NULL, 0, 1, 0, 'data', '/data', 'rw', 0),
    (5, '', 0, 0, NULL, '', '', NULL, NULL),
    (6, NULL, 0, 1, 0, NULL, NULL, NULL, 0);
INSERT INTO accounting VALUES
    ('11111111111111111111111111111111', 1, 1, 1),
    ('22222222222222222222222222222222', 4, 4, 2),
    ('33333333333333333333333333333333', 2, 1, 1),
    ('44444444444444444444444444444444', 1, 2, 1),
    ('55555555555555555555555555555555', 1, 1, 3),
    ('66666666666666666666666666666666', 1, 1, 4),
    ('77777777777777777777777777777777', 1, 1, 9),
    ('88888888888888888888888888888888', 1, 4, 5),
    ('99999999999999999999999999999999', 1, 4, 6),
    ('not hexadecimal', 4, 1, 5),
    ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', NULL, 1, 1);
