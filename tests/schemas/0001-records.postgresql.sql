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
SET default_tablespace = '';
SET default_table_access_method = heap;
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
    detail text NOT NULL
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
    dismissed boolean NOT NULL
);
CREATE TABLE public.signins (
    id character varying(255) NOT NULL,
    "user" character varying(255) NOT NULL,
    kind character varying(255) NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    address character varying(255) NOT NULL
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
CREATE TABLE public.usage (
    session_id character varying(32) NOT NULL,
    "user" character varying(255) NOT NULL,
    application character varying(255) NOT NULL,
    image character varying(255) NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    reason text NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
ALTER TABLE ONLY public.records_migrations ALTER COLUMN id SET DEFAULT nextval('public.records_migrations_id_seq'::regclass);
INSERT INTO public.attempts VALUES (1, 'alice', '192.0.2.1', 1767323045678901);
INSERT INTO public.audit VALUES (1, 1767323045678901, 'cli:root', 'user-create', 'alice', '', 'virtual');
INSERT INTO public.changes VALUES (1, 0);
INSERT INTO public.cursors VALUES ('address', 5);
INSERT INTO public.passwords VALUES ('alice', '$argon2id$kept');
INSERT INTO public.records_migrations VALUES (1, '001_first', '2026-01-01 00:00:00');
INSERT INTO public.sessions VALUES ('cccccccccccccccccccccccccccccccc', 'alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Terminal', 'remoteapp/terminal', 'vncapp', 'ready', 1767323045678901, '10.213.0.2', 8888, '/user/alice/containers/cccccccccccccccccccccccccccccccc/', '{"resolution":"1280x800"}', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 1767326645678901, NULL, NULL, '', NULL, false);
INSERT INTO public.sessions VALUES ('dddddddddddddddddddddddddddddddd', 'alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Terminal', 'remoteapp/terminal', 'vncapp', 'failed', 1767319445678901, '10.213.0.2', 8888, '/user/alice/containers/cccccccccccccccccccccccccccccccc/', '{}', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', NULL, NULL, 1767323045678901, 'failed', '{"code":"exited","message":"The application ended.","log_tail":"no display"}', false);
INSERT INTO public.sessions VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'alice', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Terminal', 'remoteapp/terminal', 'vncapp', 'stopped', 1767315845678901, '10.213.0.2', 8888, '/user/alice/containers/cccccccccccccccccccccccccccccccc/', '{"resolution":"1280x800"}', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 1767326645678901, NULL, 1767323045678901, 'stopped', NULL, false);
INSERT INTO public.signins VALUES ('1111111111111111111111111111111111111111111111111111111111111111', 'alice', 'user', 1767323045678901, 1767326645678901, '192.0.2.1');
INSERT INTO public.tokens VALUES ('22222222222222222222222222222222', 'alice', 'laptop', '["sessions:read","sessions:write"]', 1767323045678901, 1767326645678901, '3333333333333333333333333333333333333333333333333333333333333333');
INSERT INTO public.usage VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'alice', 'Terminal', 'remoteapp/terminal', 1767315845678901, 1767323045678901, 'stopped');
SELECT pg_catalog.setval('public.attempts_id_seq', 1, true);
SELECT pg_catalog.setval('public.audit_id_seq', 1, true);
SELECT pg_catalog.setval('public.records_migrations_id_seq', 1, true);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.passwords
    ADD CONSTRAINT passwords_pkey PRIMARY KEY ("user");
ALTER TABLE ONLY public.records_migrations
    ADD CONSTRAINT records_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.signins
    ADD CONSTRAINT signins_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (session_id);
CREATE INDEX attempts_address_at ON public.attempts USING btree (address, at);
CREATE INDEX attempts_at ON public.attempts USING btree (at);
CREATE INDEX attempts_name_address ON public.attempts USING btree (name, address);
CREATE INDEX audit_at ON public.audit USING btree (at);
CREATE INDEX sessions_ended_at ON public.sessions USING btree (ended_at);
CREATE INDEX sessions_owner_ended_at ON public.sessions USING btree (owner, ended_at);
CREATE INDEX sessions_state_dismissed ON public.sessions USING btree (state, dismissed);
CREATE INDEX signins_expires_at ON public.signins USING btree (expires_at);
CREATE INDEX signins_user ON public.signins USING btree ("user");
CREATE UNIQUE INDEX tokens_digest ON public.tokens USING btree (digest);
CREATE INDEX tokens_user ON public.tokens USING btree ("user");
CREATE INDEX usage_started_at ON public.usage USING btree (started_at);
CREATE INDEX usage_user ON public.usage USING btree ("user");
