-- Compiled from skb/store/statements.py; do not edit.
-- table audit
CREATE TABLE IF NOT EXISTS audit (
  number INTEGER NOT NULL,
  at VARCHAR(40) NOT NULL,
  who VARCHAR(200) NOT NULL,
  action VARCHAR(80) NOT NULL,
  machine VARCHAR(200) NOT NULL,
  revision INTEGER,
  detail BLOB NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (number)
)

-- table decision
CREATE TABLE IF NOT EXISTS decision (
  number INTEGER NOT NULL,
  id VARCHAR(40) NOT NULL,
  machine VARCHAR(200) NOT NULL,
  revision INTEGER NOT NULL,
  question VARCHAR(40) NOT NULL,
  body BLOB NOT NULL,
  digest VARCHAR(80),
  stale_revision INTEGER,
  stale_fact BLOB,
  CONSTRAINT pk_decision PRIMARY KEY (number),
  CONSTRAINT uq_decision_id UNIQUE (id)
)

-- index ix_decision_machine
CREATE INDEX IF NOT EXISTS ix_decision_machine ON decision (machine, number)

-- table idempotency
CREATE TABLE IF NOT EXISTS idempotency (
  who VARCHAR(200) NOT NULL,
  "key" VARCHAR(200) NOT NULL,
  fingerprint VARCHAR(80) NOT NULL,
  status INTEGER,
  headers BLOB,
  body BLOB,
  at VARCHAR(40) NOT NULL,
  CONSTRAINT pk_idempotency PRIMARY KEY (who, "key")
)

-- table job
CREATE TABLE IF NOT EXISTS job (
  id VARCHAR(40) NOT NULL,
  kind VARCHAR(40) NOT NULL,
  state VARCHAR(10) NOT NULL,
  priority INTEGER NOT NULL,
  request BLOB NOT NULL,
  result BLOB,
  error BLOB,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  created INTEGER NOT NULL,
  leased_until INTEGER NOT NULL,
  worker VARCHAR(80) NOT NULL,
  owner VARCHAR(200) NOT NULL,
  attempts INTEGER NOT NULL,
  CONSTRAINT pk_job PRIMARY KEY (id)
)

-- index ix_job_state
CREATE INDEX IF NOT EXISTS ix_job_state ON job (state, priority, created)

-- table machine
CREATE TABLE IF NOT EXISTS machine (
  name VARCHAR(200) NOT NULL,
  title VARCHAR(400) NOT NULL,
  revision INTEGER NOT NULL,
  digest VARCHAR(80),
  owner VARCHAR(200),
  seen VARCHAR(40),
  CONSTRAINT pk_machine PRIMARY KEY (name)
)

-- index ix_machine_digest
CREATE INDEX IF NOT EXISTS ix_machine_digest ON machine (digest)

-- table shape
CREATE TABLE IF NOT EXISTS shape (
  digest VARCHAR(80) NOT NULL,
  facts BLOB NOT NULL,
  CONSTRAINT pk_shape PRIMARY KEY (digest)
)

-- table token
CREATE TABLE IF NOT EXISTS token (
  id VARCHAR(40) NOT NULL,
  name VARCHAR(200) NOT NULL,
  hash BLOB NOT NULL,
  pepper VARCHAR(40) NOT NULL,
  scopes VARCHAR(200) NOT NULL,
  machines VARCHAR(400) NOT NULL,
  created VARCHAR(40) NOT NULL,
  expires VARCHAR(40),
  revoked VARCHAR(40),
  used VARCHAR(40),
  CONSTRAINT pk_token PRIMARY KEY (id)
)

-- table answer
CREATE TABLE IF NOT EXISTS answer (
  digest VARCHAR(80) NOT NULL,
  question VARCHAR(40) NOT NULL,
  "key" VARCHAR(80) NOT NULL,
  decision VARCHAR(40) NOT NULL,
  CONSTRAINT pk_answer PRIMARY KEY (digest, question, "key"),
  CONSTRAINT fk_answer_decision_decision FOREIGN KEY(decision) REFERENCES decision (id)
)

-- table change
CREATE TABLE IF NOT EXISTS change (
  revision INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  machine VARCHAR(200) NOT NULL,
  kind VARCHAR(10) NOT NULL,
  title VARCHAR(400) NOT NULL,
  shape VARCHAR(80),
  asserted BLOB NOT NULL,
  retracted BLOB NOT NULL,
  at VARCHAR(40) NOT NULL,
  CONSTRAINT fk_change_shape_shape FOREIGN KEY(shape) REFERENCES shape (digest)
)

-- index ix_change_machine_revision
CREATE INDEX IF NOT EXISTS ix_change_machine_revision ON change (machine, revision)

-- table reads
CREATE TABLE IF NOT EXISTS reads (
  decision VARCHAR(40) NOT NULL,
  predicate VARCHAR(80) NOT NULL,
  objects BLOB NOT NULL,
  CONSTRAINT pk_reads PRIMARY KEY (decision, predicate),
  CONSTRAINT fk_reads_decision_decision FOREIGN KEY(decision) REFERENCES decision (id)
)

-- table note
CREATE TABLE IF NOT EXISTS note (
  revision INTEGER NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_note PRIMARY KEY (revision),
  CONSTRAINT fk_note_revision_change FOREIGN KEY(revision) REFERENCES change (revision)
)

-- machines
SELECT machine.name, machine.title, machine.revision
FROM machine ORDER BY machine.name

-- machine
SELECT machine.name, machine.title, machine.revision
FROM machine
WHERE machine.name = :name

-- add_machine
INSERT INTO machine (name, title, revision, digest, owner, seen) VALUES (:name, :title, :revision, :digest, :owner, :seen)

-- set_machine
UPDATE machine SET title=:new_title, revision=:new_revision, digest=:new_digest WHERE machine.name = :which

-- delete_machine
DELETE FROM machine WHERE machine.name = :name

-- seen
UPDATE machine SET owner=coalesce(:sender, machine.owner), seen=:new_seen WHERE machine.name = :which RETURNING name

-- last_seen
SELECT machine.seen, machine.owner
FROM machine
WHERE machine.name = :name

-- digest
SELECT machine.digest
FROM machine
WHERE machine.name = :name

-- head
SELECT coalesce(max(change.revision), 0) AS coalesce_1
FROM change

-- changes
SELECT change.revision, change.machine, change.kind, change.asserted, change.retracted, change.at
FROM change
WHERE change.revision > :since ORDER BY change.revision
 LIMIT :count OFFSET 0

-- changes_of
SELECT change.revision, change.machine, change.kind, change.asserted, change.retracted, change.at
FROM change
WHERE change.machine = :machine AND change.revision > :since ORDER BY change.revision
 LIMIT :count OFFSET 0

-- add_changes
INSERT INTO change (revision, machine, kind, title, shape, asserted, retracted, at) VALUES (:revision, :machine, :kind, :title, :shape, :asserted, :retracted, :at)

-- undigested
SELECT machine.name
FROM machine
WHERE machine.digest IS NULL

-- set_digest
UPDATE machine SET digest=:new_digest WHERE machine.name = :which AND machine.revision = :as_of

-- shapes
SELECT machine.digest, count(*) AS count_1, min(machine.name) AS min_1
FROM machine
WHERE machine.digest IS NOT NULL GROUP BY machine.digest ORDER BY count(*) DESC, machine.digest

-- shape_of
SELECT machine.name, machine.revision, change.title, change.shape
FROM machine JOIN change ON change.revision = machine.revision
WHERE machine.digest = :digest AND change.shape IS NOT NULL
 LIMIT 1 OFFSET 0

-- history
SELECT change.revision, change.machine, change.kind, change.asserted, change.retracted, change.at
FROM change
WHERE change.machine = :machine AND change.revision > :since ORDER BY change.revision

-- last_load
SELECT change.revision, change.kind, change.title, change.shape
FROM change
WHERE change.machine = :machine AND change.revision <= :as_of AND change.kind != :kind ORDER BY change.revision DESC
 LIMIT :count OFFSET 0

-- writes
SELECT change.revision, change.asserted, change.retracted
FROM change
WHERE change.machine = :machine AND change.revision > :since AND change.revision <= :as_of AND change.kind = :kind ORDER BY change.revision

-- add_change
INSERT INTO change (machine, kind, title, shape, asserted, retracted, at) VALUES (:machine, :kind, :title, :shape, :asserted, :retracted, :at) RETURNING revision

-- shape
SELECT shape.facts
FROM shape
WHERE shape.digest = :digest

-- has_shape
SELECT shape.digest
FROM shape
WHERE shape.digest = :digest

-- add_shape
INSERT INTO shape (digest, facts) VALUES (:digest, :facts)

-- note
SELECT note.body
FROM note
WHERE note.revision = :revision

-- add_note
INSERT INTO note (revision, body) VALUES (:revision, :body)

-- has_decision
SELECT decision.id
FROM decision
WHERE decision.id = :id

-- add_decision
INSERT INTO decision (id, machine, revision, question, body, digest, stale_revision, stale_fact) VALUES (:id, :machine, :revision, :question, :body, :digest, :stale_revision, :stale_fact)

-- answer
SELECT decision.body
FROM decision JOIN answer ON answer.decision = decision.id
WHERE answer.digest = :digest AND answer.question = :question AND answer."key" = :key

-- add_answer
INSERT INTO answer (digest, question, "key", decision) VALUES (:digest, :question, :key, :decision)

-- add_reads
INSERT INTO reads (decision, predicate, objects) VALUES (:decision, :predicate, :objects)

-- has_reads
SELECT reads.predicate
FROM reads
WHERE reads.decision = :decision
 LIMIT 1 OFFSET 0

-- readers
SELECT decision.id, decision.question, reads.predicate, reads.objects
FROM decision JOIN reads ON reads.decision = decision.id
WHERE decision.machine = :machine AND decision.stale_revision IS NULL ORDER BY decision.number

-- mark_stale
UPDATE decision SET stale_revision=:by_revision, stale_fact=:by_fact WHERE decision.id = :which

-- stale
SELECT decision.stale_revision, decision.stale_fact
FROM decision
WHERE decision.id = :id AND decision.stale_revision IS NOT NULL

-- decisions
SELECT decision.body
FROM decision ORDER BY decision.number DESC
 LIMIT :count OFFSET 0

-- decisions_of
SELECT decision.body
FROM decision
WHERE decision.machine = :machine ORDER BY decision.number DESC
 LIMIT :count OFFSET 0

-- decisions_beginning
SELECT decision.body
FROM decision
WHERE substr(decision.id, 1, :length) = :wanted
 LIMIT :count OFFSET 0

-- add_token
INSERT INTO token (id, name, hash, pepper, scopes, machines, created, expires, revoked, used) VALUES (:id, :name, :hash, :pepper, :scopes, :machines, :created, :expires, :revoked, :used)

-- token
SELECT token.id, token.name, token.hash, token.pepper, token.scopes, token.machines, token.created, token.expires, token.revoked, token.used
FROM token
WHERE token.id = :id

-- tokens
SELECT token.id, token.name, token.hash, token.pepper, token.scopes, token.machines, token.created, token.expires, token.revoked, token.used
FROM token ORDER BY token.created, token.id

-- revoke_token
UPDATE token SET revoked=coalesce(token.revoked, :at) WHERE token.id = :which RETURNING id

-- touch_token
UPDATE token SET used=:at WHERE token.id = :which

-- add_audit
INSERT INTO audit (at, who, action, machine, revision, detail) VALUES (:at, :who, :action, :machine, :revision, :detail)

-- audits
SELECT audit.number, audit.at, audit.who, audit.action, audit.machine, audit.revision, audit.detail
FROM audit
WHERE audit.number < :before ORDER BY audit.number DESC
 LIMIT :count OFFSET 0

-- reply
SELECT idempotency.who, idempotency."key", idempotency.fingerprint, idempotency.status, idempotency.headers, idempotency.body, idempotency.at
FROM idempotency
WHERE idempotency.who = :by AND idempotency."key" = :under

-- add_reply
INSERT INTO idempotency (who, "key", fingerprint, status, headers, body, at) VALUES (:who, :key, :fingerprint, :status, :headers, :body, :at)

-- set_reply
UPDATE idempotency SET status=:new_status, headers=:new_headers, body=:new_body WHERE idempotency.who = :by AND idempotency."key" = :under

-- forget_replies
DELETE FROM idempotency WHERE idempotency.at < :before

-- add_job
INSERT INTO job (id, kind, state, priority, request, result, error, done, total, created, leased_until, worker, owner, attempts) VALUES (:id, :kind, :state, :priority, :request, :result, :error, :done, :total, :created, :leased_until, :worker, :owner, :attempts)

-- job
SELECT job.id, job.kind, job.state, job.priority, job.request, job.result, job.error, job.done, job.total, job.created, job.leased_until, job.worker, job.owner, job.attempts
FROM job
WHERE job.id = :id

-- jobs
SELECT job.id, job.kind, job.state, job.priority, job.request, job.result, job.error, job.done, job.total, job.created, job.leased_until, job.worker, job.owner, job.attempts
FROM job ORDER BY job.created DESC, job.id
 LIMIT :count OFFSET 0

-- fail_jobs
UPDATE job SET state=:failed, error=:why WHERE job.state = 'running' AND job.leased_until < :now AND job.attempts >= :most

-- lease_job
UPDATE job SET state=:running, leased_until=:until, worker=:by, attempts=(job.attempts + 1) WHERE job.id = (SELECT job.id
FROM job
WHERE job.state = 'queued' OR job.state = 'running' AND job.leased_until < :now ORDER BY job.priority, job.created, job.id
 LIMIT 1 OFFSET 0) RETURNING id, kind, state, priority, request, result, error, done, total, created, leased_until, worker, owner, attempts

-- progress_job
UPDATE job SET done=:now_done, total=:of, leased_until=:until WHERE job.id = :which AND job.worker = :by AND job.state = 'running' RETURNING id

-- finish_job
UPDATE job SET state=:end, result=:told, error=:why WHERE job.id = :which AND job.worker = :by AND job.state = 'running' RETURNING id

-- cancel_job
UPDATE job SET state=:end WHERE job.id = :which AND job.state IN ('queued', 'running') RETURNING id
