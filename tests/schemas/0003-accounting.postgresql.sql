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
CREATE TABLE public.accounting_migrations (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    migrated_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.accounting_migrations_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.accounting_migrations_id_seq OWNED BY public.accounting_migrations.id;
CREATE TABLE public.applications (
    id character varying(32) NOT NULL,
    image character varying(255) NOT NULL,
    display_name character varying(255) NOT NULL,
    description text NOT NULL,
    category character varying(255) NOT NULL,
    port integer,
    command text NOT NULL,
    environment text NOT NULL,
    ready_path character varying(255) NOT NULL,
    strip_path boolean NOT NULL,
    run_as character varying(255) NOT NULL
);
CREATE TABLE public.changes (
    id integer NOT NULL,
    writes bigint NOT NULL
);
CREATE TABLE public.given_uids (
    uid integer NOT NULL
);
CREATE TABLE public.grants (
    id character varying(32) NOT NULL,
    user_id integer,
    application_id character varying(32) NOT NULL,
    policy_id integer NOT NULL,
    group_id integer,
    grantee character varying(255) NOT NULL
);
CREATE TABLE public.groups (
    id integer NOT NULL,
    name character varying(255) NOT NULL
);
CREATE SEQUENCE public.groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.groups_id_seq OWNED BY public.groups.id;
CREATE TABLE public.memberships (
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
CREATE TABLE public.policies (
    id integer NOT NULL,
    allow_home boolean NOT NULL,
    share character varying(255) NOT NULL,
    memory bigint,
    cpus double precision,
    pids integer,
    max_sessions integer,
    volumes text NOT NULL,
    allow_startup_data boolean NOT NULL,
    app_license text NOT NULL,
    network character varying(255),
    max_lifetime bigint,
    digest character varying(255) NOT NULL,
    legacy_home boolean NOT NULL
);
CREATE SEQUENCE public.policies_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.policies_id_seq OWNED BY public.policies.id;
CREATE TABLE public.users (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    kind character varying(255) NOT NULL,
    enabled boolean NOT NULL,
    admin boolean NOT NULL,
    uid integer,
    gid integer
);
CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.accounting_migrations ALTER COLUMN id SET DEFAULT nextval('public.accounting_migrations_id_seq'::regclass);
ALTER TABLE ONLY public.groups ALTER COLUMN id SET DEFAULT nextval('public.groups_id_seq'::regclass);
ALTER TABLE ONLY public.policies ALTER COLUMN id SET DEFAULT nextval('public.policies_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.accounting_migrations VALUES (1, '001_first', '2026-01-01 00:00:00');
INSERT INTO public.accounting_migrations VALUES (2, '002_groups', '2026-02-01 00:00:00');
INSERT INTO public.accounting_migrations VALUES (3, '003_images', '2026-11-23 02:58:14.239333');
INSERT INTO public.applications VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'remoteapp/terminal', 'Terminal', 'A desktop with a terminal', 'Desktops', 8888, '["start","--now"]', '{"COLOUR":"blue"}', '/ready', false, 'user');
INSERT INTO public.changes VALUES (1, 3);
INSERT INTO public.given_uids VALUES (70000);
INSERT INTO public.given_uids VALUES (70001);
INSERT INTO public.grants VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 1, NULL, 'user:1');
INSERT INTO public.grants VALUES ('ebbf8b5f48120b0fc9153ddacf3aadb1', NULL, 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 2, 1, 'group:1');
INSERT INTO public.grants VALUES ('e9db3fb67f0363f83b8ac4264d59371d', NULL, 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 2, NULL, 'everyone');
INSERT INTO public.groups VALUES (1, 'lab');
INSERT INTO public.memberships VALUES (1, 1);
INSERT INTO public.memberships VALUES (2, 1);
INSERT INTO public.policies VALUES (1, true, 'control', 536870912, 0.5, 64, 2, '[]', false, '', NULL, NULL, 'e7737fe7f8629395520ac75fa4b363f081774b1edd93686f203021352d5cd99d', false);
INSERT INTO public.policies VALUES (2, true, 'none', NULL, 1.5, NULL, NULL, '[{"source":"/srv/data","target":"/data","mode":"ro"}]', true, 'kept-licence', 'none', 86400, 'a9eef36d1372692aeeb2551ce51ebc3a3e084b99c978b15b56cf12473615500b', false);
INSERT INTO public.users VALUES (1, 'alice', 'virtual', true, false, 70000, 70000);
INSERT INTO public.users VALUES (2, 'bob', 'system', false, false, NULL, NULL);
INSERT INTO public.users VALUES (3, 'admin', 'virtual', true, true, 70001, 70001);
SELECT pg_catalog.setval('public.accounting_migrations_id_seq', 3, true);
SELECT pg_catalog.setval('public.groups_id_seq', 1, true);
SELECT pg_catalog.setval('public.policies_id_seq', 2, true);
SELECT pg_catalog.setval('public.users_id_seq', 3, true);
ALTER TABLE ONLY public.accounting_migrations
    ADD CONSTRAINT accounting_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.applications
    ADD CONSTRAINT applications_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.given_uids
    ADD CONSTRAINT given_uids_pkey PRIMARY KEY (uid);
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (user_id, group_id);
ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX applications_image ON public.applications USING btree (image);
CREATE INDEX grants_application_id ON public.grants USING btree (application_id);
CREATE UNIQUE INDEX grants_grantee_application_id_policy_id ON public.grants USING btree (grantee, application_id, policy_id);
CREATE INDEX grants_group_id ON public.grants USING btree (group_id);
CREATE INDEX grants_policy_id ON public.grants USING btree (policy_id);
CREATE INDEX grants_user_id ON public.grants USING btree (user_id);
CREATE UNIQUE INDEX groups_name ON public.groups USING btree (name);
CREATE INDEX memberships_group_id ON public.memberships USING btree (group_id);
CREATE INDEX memberships_user_id ON public.memberships USING btree (user_id);
CREATE UNIQUE INDEX policies_digest ON public.policies USING btree (digest);
CREATE UNIQUE INDEX users_name ON public.users USING btree (name);
CREATE UNIQUE INDEX users_uid ON public.users USING btree (uid);
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_application_id_fkey FOREIGN KEY (application_id) REFERENCES public.applications(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_policy_id_fkey FOREIGN KEY (policy_id) REFERENCES public.policies(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
