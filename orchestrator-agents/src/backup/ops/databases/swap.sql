-- Gives a database that was restored beside another its name, owner, grants and settings. The other is kept, and its new name printed.
\o /dev/null
SELECT set_config('orchestrate.old', @OLD@, false), set_config('orchestrate.new', @NEW@, false), set_config('orchestrate.kept', @KEPT@, false);
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_setting('orchestrate.old') AND pid <> pg_backend_pid() AND pg_has_role(usesysid, 'MEMBER');
BEGIN;
DO $body$
DECLARE
    old text := current_setting('orchestrate.old');
    new text := current_setting('orchestrate.new');
    kept text := current_setting('orchestrate.kept');
    there record;
    item record;
    before text;
BEGIN
    SELECT oid, datdba, datacl INTO there FROM pg_database WHERE datname = old;
    PERFORM set_config('orchestrate.renamed', '', false);
    IF FOUND AND there.oid IS NOT NULL THEN
        IF there.datacl IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', new);
        END IF;
        FOR item IN SELECT privilege_type, grantee, is_grantable FROM aclexplode(there.datacl) LOOP
            EXECUTE format('GRANT %s ON DATABASE %I TO %s%s', item.privilege_type, new,
                CASE item.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(item.grantee)) END,
                CASE WHEN item.is_grantable AND item.grantee <> there.datdba THEN ' WITH GRANT OPTION' ELSE '' END);
        END LOOP;
        FOR item IN SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
            FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = there.oid AND s.setrole = 0 LOOP
            BEGIN
                before := current_setting(item.name, true);
                PERFORM set_config(item.name, item.value, true);
                EXECUTE format('ALTER DATABASE %I SET %I FROM CURRENT', new, item.name);
                PERFORM set_config(item.name, coalesce(before, ''), true);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'setting % of database % could not be taken over', item.name, old;
            END;
        END LOOP;
        IF pg_get_userbyid(there.datdba) <> current_user THEN
            EXECUTE format('ALTER DATABASE %I OWNER TO %I', new, pg_get_userbyid(there.datdba));
        END IF;
        SELECT kept || min(n) INTO kept FROM generate_series(1, 100000) n
            WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = kept || n);
        EXECUTE format('ALTER DATABASE %I RENAME TO %I', old, kept);
        PERFORM set_config('orchestrate.renamed', kept, false);
    END IF;
    EXECUTE format('ALTER DATABASE %I RENAME TO %I', new, old);
END
$body$;
COMMIT;
\o
SELECT current_setting('orchestrate.renamed');
