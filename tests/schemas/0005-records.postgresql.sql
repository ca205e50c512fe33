SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.audit_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.announcement (
    id integer NOT NULL,
    text text NOT NULL,
    until bigint
);
CREATE TABLE public.attempts (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    address character varying(255) NOT NULL,
    at bigint NOT NULL
);
CREATE SEQUENCE public.attempts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;
CREATE TABLE public.audit (
    id integer NOT NULL,
    at bigint NOT NULL,
    actor character varying(255) NOT NULL,
    action character varying(255) NOT NULL,
    target character varying(255) NOT NULL,
    address character varying(255) NOT NULL,
    detail text NOT NULL,
    before text,
    after text
);
CREATE SEQUENCE public.audit_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;
CREATE TABLE public.changes (
    id integer NOT NULL,
    writes bigint NOT NULL
);
CREATE TABLE public.cursors (
    name character varying(255) NOT NULL,
    value bigint NOT NULL
);
CREATE TABLE public.home_tasks (
    volume character varying(255) NOT NULL,
    "user" character varying(255) NOT NULL,
    action character varying(255) NOT NULL,
    by character varying(255) NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE public.kept_running (
    key character varying(255) NOT NULL
);
CREATE TABLE public.last_starts (
    owner character varying(255) NOT NULL,
    grant_id character varying(32) NOT NULL,
    at bigint NOT NULL,
    options text NOT NULL
);
CREATE TABLE public.links (
    issuer character varying(255) NOT NULL,
    subject character varying(255) NOT NULL,
    "user" character varying(255) NOT NULL
);
CREATE TABLE public.passwords (
    "user" character varying(255) NOT NULL,
    digest character varying(255) NOT NULL
);
CREATE TABLE public.records_migrations (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    migrated_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.records_migrations_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.records_migrations_id_seq OWNED BY public.records_migrations.id;
CREATE TABLE public.sessions (
    id character varying(32) NOT NULL,
    owner character varying(255) NOT NULL,
    grant_id character varying(32) NOT NULL,
    application character varying(255) NOT NULL,
    image character varying(255) NOT NULL,
    type character varying(255) NOT NULL,
    state character varying(255) NOT NULL,
    created_at bigint NOT NULL,
    address character varying(255) NOT NULL,
    port integer NOT NULL,
    ready_path character varying(255) NOT NULL,
    options text NOT NULL,
    container_id character varying(255) NOT NULL,
    ready_at bigint,
    ends_at bigint,
    ended_at bigint,
    ends_because text NOT NULL,
    failure text,
    dismissed boolean NOT NULL,
    policy text,
    cut_off boolean NOT NULL,
    warned boolean NOT NULL,
    strip_path boolean NOT NULL
);
CREATE TABLE public.shares (
    id character varying(32) NOT NULL,
    session_id character varying(32) NOT NULL,
    owner character varying(255) NOT NULL,
    kind character varying(16) NOT NULL,
    name character varying(255) NOT NULL,
    access character varying(16) NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    digest character varying(64) NOT NULL
);
CREATE TABLE public.signins (
    id character varying(255) NOT NULL,
    "user" character varying(255) NOT NULL,
    kind character varying(255) NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    address character varying(255) NOT NULL,
    source character varying(255) NOT NULL,
    shares text NOT NULL,
    display character varying(255) NOT NULL
);
CREATE TABLE public.tokens (
    id character varying(255) NOT NULL,
    "user" character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    digest character varying(255) NOT NULL
);
CREATE TABLE public.uids (
    "user" character varying(255) NOT NULL,
    uid integer NOT NULL
);
CREATE TABLE public.usage (
    session_id character varying(32) NOT NULL,
    "user" character varying(255) NOT NULL,
    application character varying(255) NOT NULL,
    image character varying(255) NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint,
    reason text NOT NULL,
    groups text NOT NULL,
    grant_id character varying(32) NOT NULL,
    cpu_seconds double precision NOT NULL,
    memory_gib_seconds double precision NOT NULL,
    sampled_until bigint,
    cpu_counter double precision NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
ALTER TABLE ONLY public.records_migrations ALTER COLUMN id SET DEFAULT nextval('public.records_migrations_id_seq'::regclass);
INSERT INTO public.announcement VALUES (1, 'Back at noon.', 1770091506789012);
INSERT INTO public.attempts VALUES (1, 'alice', '192.0.2.1', 1767323045678901);
INSERT INTO public.audit VALUES (1, 1767323045678901, 'cli:root', 'user-create', 'alice', '', 'virtual', NULL, NULL);
INSERT INTO public.audit VALUES (2, 1770091506789012, 'admin', 'policy-edit', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '192.0.2.2', '', '{"pids":64}', '{"pids":32}');
INSERT INTO public.changes VALUES (1, 12);
INSERT INTO public.cursors VALUES ('address', 5);
INSERT INTO public.home_tasks VALUES ('remoteapp-home-70009', 'carol', 'archive', 'admin', 1770091506789012);
INSERT INTO public.kept_running VALUES ('user:bob');
INSERT INTO public.last_starts VALUES ('alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1770091506789012, '{"resolution":"window"}');
INSERT INTO public.links VALUES ('https://accounts.example.org', '4711', 'alice');
INSERT INTO public.passwords VALUES ('alice', '$argon2id$kept');
INSERT INTO public.records_migrations VALUES (1, '001_first', '2026-01-01 00:00:00');
INSERT INTO public.records_migrations VALUES (2, '002_ledgers', '2026-02-01 00:00:00');
INSERT INTO public.records_migrations VALUES (3, '003_images', '2026-11-23 02:58:14.396507');
INSERT INTO public.records_migrations VALUES (4, '004_starts', '2026-11-23 13:23:33.098684');
INSERT INTO public.records_migrations VALUES (5, '005_shares', '2026-11-23 17:05:39.814036');
INSERT INTO public.sessions VALUES ('dddddddddddddddddddddddddddddddd', 'alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Terminal', 'remoteapp/terminal', 'vncapp', 'failed', 1767319445678901, '10.213.0.2', 8888, '/user/alice/containers/cccccccccccccccccccccccccccccccc/', '{}', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', NULL, NULL, 1767323045678901, 'failed', '{"code":"exited","message":"The application ended.","log_tail":"no display"}', false, NULL, false, false, false);
INSERT INTO public.sessions VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Terminal', 'remoteapp/terminal', 'vncapp', 'stopped', 1767315845678901, '10.213.0.2', 8888, '/user/alice/containers/cccccccccccccccccccccccccccccccc/', '{"resolution":"1280x800"}', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 1767326645678901, NULL, 1767323045678901, 'stopped', NULL, false, NULL, false, false, false);
INSERT INTO public.sessions VALUES ('cccccccccccccccccccccccccccccccc', 'alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Terminal', 'remoteapp/terminal', 'vncapp', 'ready', 1767323045678901, '10.213.0.2', 8888, '/user/alice/containers/cccccccccccccccccccccccccccccccc/', '{"resolution":"1280x800"}', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 1767326645678901, NULL, NULL, '', NULL, false, '{"allow_home":true,"volumes":[{"source":"/srv/data","target":"/data","mode":"ro"}],"allow_startup_data":false,"app_license":"","share":"view","memory":536870912,"cpus":0.5,"pids":64,"network":"none","max_sessions":2,"max_lifetime":0}', true, true, false);
INSERT INTO public.shares VALUES ('55555555555555555555555555555555', 'cccccccccccccccccccccccccccccccc', 'alice', 'link', '', 'view', 1770091506789012, 1770177906789012, '6666666666666666666666666666666666666666666666666666666666666666');
INSERT INTO public.signins VALUES ('1111111111111111111111111111111111111111111111111111111111111111', 'alice', 'user', 1767323045678901, 1767326645678901, '192.0.2.1', 'virtual', '[]', '');
INSERT INTO public.signins VALUES ('5555555555555555555555555555555555555555555555555555555555555555', 'alice', 'user', 1770091506789012, 1770095106789012, '192.0.2.2', 'oidc', '[]', '');
INSERT INTO public.signins VALUES ('7777777777777777777777777777777777777777777777777777777777777777', 'guest:55555555555555555555555555555555', 'guest', 1770091506789012, 3976214400000000, '192.0.2.9', 'link', '["55555555555555555555555555555555"]', 'Zoe');
INSERT INTO public.tokens VALUES ('22222222222222222222222222222222', 'alice', 'laptop', '["sessions:read","sessions:write"]', 1767323045678901, 1767326645678901, '3333333333333333333333333333333333333333333333333333333333333333');
INSERT INTO public.uids VALUES ('dave', 70007);
INSERT INTO public.usage VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'alice', 'Terminal', 'remoteapp/terminal', 1767315845678901, 1767323045678901, 'stopped', '[]', '', 0, 0, NULL, 0);
INSERT INTO public.usage VALUES ('cccccccccccccccccccccccccccccccc', 'alice', 'Terminal', 'remoteapp/terminal', 1770087906789012, NULL, '', '["lab"]', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 12.5, 900.25, 1770091506789012, 7.125);
SELECT pg_catalog.setval('public.attempts_id_seq', 1, true);
SELECT pg_catalog.setval('public.audit_id_seq', 2, true);
SELECT pg_catalog.setval('public.records_migrations_id_seq', 5, true);
ALTER TABLE ONLY public.announcement
    ADD CONSTRAINT announcement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.home_tasks
    ADD CONSTRAINT home_tasks_pkey PRIMARY KEY (volume);
ALTER TABLE ONLY public.kept_running
    ADD CONSTRAINT kept_running_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.last_starts
    ADD CONSTRAINT last_starts_pkey PRIMARY KEY (owner, grant_id);
ALTER TABLE ONLY public.links
    ADD CONSTRAINT links_pkey PRIMARY KEY (issuer, subject);
ALTER TABLE ONLY public.passwords
    ADD CONSTRAINT passwords_pkey PRIMARY KEY ("user");
ALTER TABLE ONLY public.records_migrations
    ADD CONSTRAINT records_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.signins
    ADD CONSTRAINT signins_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.uids
    ADD CONSTRAINT uids_pkey PRIMARY KEY ("user");
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (session_id);
CREATE INDEX attempts_address_at ON public.attempts USING btree (address, at);
CREATE INDEX attempts_at ON public.attempts USING btree (at);
CREATE INDEX attempts_name_address ON public.attempts USING btree (name, address);
CREATE INDEX audit_action ON public.audit USING btree (action);
CREATE INDEX audit_actor ON public.audit USING btree (actor);
CREATE INDEX audit_at ON public.audit USING btree (at);
CREATE INDEX audit_target ON public.audit USING btree (target);
CREATE INDEX links_user ON public.links USING btree ("user");
CREATE INDEX sessions_ended_at ON public.sessions USING btree (ended_at);
CREATE INDEX sessions_owner_ended_at ON public.sessions USING btree (owner, ended_at);
CREATE INDEX sessions_state_dismissed ON public.sessions USING btree (state, dismissed);
CREATE INDEX signins_expires_at ON public.signins USING btree (expires_at);
CREATE INDEX signins_user ON public.signins USING btree ("user");
CREATE UNIQUE INDEX tokens_digest ON public.tokens USING btree (digest);
CREATE INDEX tokens_user ON public.tokens USING btree ("user");
CREATE UNIQUE INDEX uids_uid ON public.uids USING btree (uid);
CREATE INDEX usage_ended_at ON public.usage USING btree (ended_at);
CREATE INDEX usage_started_at ON public.usage USING btree (started_at);
CREATE INDEX usage_user ON public.usage USING btree ("user");
CREATE TRIGGER audit_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_is_append_only();
