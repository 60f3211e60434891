// Tables and functions of a study in PostgreSQL. Each operation is one function, so that the lock on the study, which all writers queue
// for in order, is held for one command and not for a conversation.

const clock = "extract(epoch from clock_timestamp())";

/** Each brings the tables from the version before to its own: the first makes them. */
export const migrations: readonly string[] = [
  `CREATE TABLE athanor.studies (
     id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, spec text NOT NULL, attributes text NOT NULL, created float8 NOT NULL,
     mode text NOT NULL, lag bigint NOT NULL,
     next_number bigint NOT NULL DEFAULT 0, revision bigint NOT NULL DEFAULT 0, exhausted boolean NOT NULL DEFAULT false);
   CREATE TABLE athanor.trials (
     study bigint NOT NULL REFERENCES athanor.studies ON DELETE CASCADE, number bigint NOT NULL,
     state text NOT NULL DEFAULT 'waiting', params text NOT NULL DEFAULT '{}',
     fixed text, suggested text, vals text, constraints text, error text, attributes text NOT NULL,
     attempt bigint NOT NULL DEFAULT 0, losses bigint NOT NULL DEFAULT 0, fence bigint NOT NULL DEFAULT 0, worker text,
     started float8, ended float8, revision bigint NOT NULL DEFAULT 0, seen bigint, sampled_at bigint, ended_at bigint,
     lease_until float8 NOT NULL DEFAULT 0, reports bytea, PRIMARY KEY (study, number));
   CREATE INDEX open_trials ON athanor.trials (study, number) WHERE ended_at IS NULL;
   CREATE INDEX changed_trials ON athanor.trials (study, revision);
   CREATE TABLE athanor.queue (
     id bigserial PRIMARY KEY, study bigint NOT NULL REFERENCES athanor.studies ON DELETE CASCADE,
     fixed text NOT NULL, attributes text NOT NULL);`,
  `ALTER TABLE athanor.trials ADD COLUMN parent bigint;
   ALTER TABLE athanor.queue ADD COLUMN parent bigint;`,
  // Plans are made, and kept by each connection, while the tables are all but empty: there every index costs the same, and that of
  // revisions was taken to find a trial by its number, through all trials of the study. As an expression it answers for revisions alone.
  `DROP INDEX athanor.changed_trials;
   CREATE INDEX changed_trials ON athanor.trials ((study + 0), revision);`,
];

/** Made anew with every version of the tables. */
export const functions = `CREATE OR REPLACE FUNCTION athanor.give(s bigint, n bigint, who text, lease float8, lost bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
   DECLARE r bigint; t athanor.trials;
   BEGIN
     UPDATE athanor.studies SET revision = revision + 1 WHERE id = s RETURNING revision INTO r;
     UPDATE athanor.trials SET state = 'running', worker = who, fence = fence + 1, losses = lost, revision = r,
       started = coalesce(started, ${clock} * 1000), lease_until = ${clock} + lease
       WHERE study = s AND number = n RETURNING * INTO t;
     RETURN jsonb_build_object('kind', 'trial', 'trial', to_jsonb(t));
   END $$;

   CREATE OR REPLACE FUNCTION athanor.claim(s bigint, who text, lease float8, budget bigint, most bigint, draining boolean, verdict text)
   RETURNS jsonb LANGUAGE plpgsql AS $$
   DECLARE st athanor.studies; t athanor.trials; q athanor.queue; r bigint; low bigint; unsampled bigint;
   BEGIN
     SELECT * INTO st FROM athanor.studies WHERE id = s FOR UPDATE;
     IF NOT FOUND THEN RETURN '{"kind":"gone"}'; END IF;
     FOR t IN SELECT * FROM athanor.trials WHERE study = s AND ended_at IS NULL
       AND (state = 'waiting' OR lease_until < ${clock}) ORDER BY number LOOP
       IF t.state = 'waiting' THEN RETURN athanor.give(s, t.number, who, lease, t.losses); END IF;
       IF t.losses + 1 <= most THEN RETURN athanor.give(s, t.number, who, lease, t.losses + 1); END IF;
       UPDATE athanor.studies SET revision = revision + 1 WHERE id = s RETURNING revision INTO r;
       UPDATE athanor.trials SET state = 'failed', losses = t.losses + 1, error = replace(verdict, '$losses', (t.losses + 1)::text),
         ended = ${clock} * 1000, ended_at = r, revision = r WHERE study = s AND number = t.number;
     END LOOP;
     SELECT min(number), count(*) - count(sampled_at) INTO low, unsampled FROM athanor.trials WHERE study = s AND ended_at IS NULL;
     IF st.exhausted OR draining OR st.next_number >= budget THEN
       IF low IS NOT NULL AND NOT draining THEN RETURN '{"kind":"wait"}'; END IF;
       RETURN jsonb_build_object('kind', 'done', 'exhausted', st.exhausted);
     END IF;
     IF st.mode <> 'free' AND (unsampled > 0 OR low <= st.next_number - st.lag) THEN RETURN '{"kind":"wait"}'; END IF;
     DELETE FROM athanor.queue WHERE id = (SELECT min(id) FROM athanor.queue WHERE study = s) RETURNING * INTO q;
     UPDATE athanor.studies SET next_number = next_number + 1 WHERE id = s;
     INSERT INTO athanor.trials (study, number, fixed, attributes, parent) VALUES (s, st.next_number, q.fixed, coalesce(q.attributes, '{}'), q.parent);
     RETURN athanor.give(s, st.next_number, who, lease, 0);
   END $$;

   CREATE OR REPLACE FUNCTION athanor.change(s bigint, n bigint, f bigint, what text, patch jsonb, packed bytea)
   RETURNS text LANGUAGE plpgsql AS $$
   DECLARE t athanor.trials; r bigint; is_end boolean := what = 'finish';
   BEGIN
     SELECT revision + 1 INTO r FROM athanor.studies WHERE id = s FOR UPDATE;
     IF NOT FOUND THEN RETURN 'gone'; END IF;
     SELECT * INTO t FROM athanor.trials WHERE study = s AND number = n;
     IF is_end AND t.fence = f AND t.ended_at IS NOT NULL THEN RETURN 'ok'; END IF;
     IF t.fence IS DISTINCT FROM f OR t.state <> 'running' THEN RETURN coalesce(t.fence, 0)::text; END IF;
     UPDATE athanor.studies SET revision = r WHERE id = s;
     IF what = 'exhaust' THEN
       UPDATE athanor.studies SET exhausted = true WHERE id = s;
       DELETE FROM athanor.trials WHERE study = s AND number = n AND n = (SELECT next_number - 1 FROM athanor.studies WHERE id = s);
       IF FOUND THEN
         UPDATE athanor.studies SET next_number = next_number - 1 WHERE id = s;
         RETURN 'ok';
       END IF;
       is_end := true;
     END IF;
     UPDATE athanor.trials SET
       reports = CASE WHEN what = 'retry' THEN NULL ELSE coalesce(packed, reports) END,
       attempt = CASE WHEN what = 'retry' THEN attempt + 1 ELSE attempt END,
       state = coalesce(patch ->> 'state', state),
       attributes = CASE WHEN patch ? 'attributes' THEN (attributes::jsonb || (patch ->> 'attributes')::jsonb)::text ELSE attributes END,
       params = coalesce(patch ->> 'params', params),
       suggested = coalesce(patch ->> 'suggested', suggested),
       vals = coalesce(patch ->> 'vals', vals),
       constraints = coalesce(patch ->> 'constraints', constraints),
       error = coalesce(patch ->> 'error', error),
       seen = coalesce((patch ->> 'seen')::bigint, seen),
       parent = coalesce((patch ->> 'parent')::bigint, parent),
       sampled_at = CASE WHEN what = 'sampled' THEN r ELSE sampled_at END,
       ended = CASE WHEN is_end THEN ${clock} * 1000 END,
       ended_at = CASE WHEN is_end THEN r END,
       revision = r
       WHERE study = s AND number = n;
     RETURN 'ok';   END $$;

   CREATE OR REPLACE FUNCTION athanor.many(commands jsonb) RETURNS jsonb LANGUAGE plpgsql
   SET enable_seqscan = off AS $$ -- for the same reason: small tables grow
   DECLARE c jsonb; answers jsonb := '[]';
   BEGIN
     FOR c IN SELECT * FROM jsonb_array_elements(commands) LOOP
       answers := answers || jsonb_build_array(CASE
         WHEN c ? 'claim' THEN athanor.claim((c ->> 'study')::bigint, c ->> 'claim', (c ->> 'lease')::float8, (c ->> 'budget')::bigint,
           (c ->> 'losses')::bigint, (c ->> 'draining')::boolean, c ->> 'verdict')
         ELSE to_jsonb(athanor.change((c ->> 'study')::bigint, (c ->> 'number')::bigint, (c ->> 'fence')::bigint, c ->> 'change',
           c -> 'patch', decode(c ->> 'packed', 'hex'))) END);
     END LOOP;
     RETURN answers;
   END $$;

   CREATE OR REPLACE FUNCTION athanor.beat(lease float8, studies bigint[], numbers bigint[], fences bigint[])
   RETURNS TABLE (study bigint, number bigint, fence bigint) LANGUAGE plpgsql
   SET enable_seqscan = off AS $$
   BEGIN
     FOR i IN 1 .. coalesce(array_length(studies, 1), 0) LOOP -- one by one: a join would read all trials
       RETURN QUERY UPDATE athanor.trials t SET lease_until = ${clock} + lease
         WHERE t.study = studies[i] AND t.number = numbers[i] AND t.fence = fences[i] AND t.state = 'running'
         RETURNING t.study, t.number, t.fence;
     END LOOP;
   END $$;`;

/** Renews leases; gives the tickets that were renewed. */
export const beat = "SELECT study, number, fence FROM athanor.beat($1, $2::bigint[], $3::bigint[], $4::bigint[])";
