-- Compiled from skb/store/statements.py; do not edit.
-- table decision
CREATE TABLE IF NOT EXISTS decision (
  number INTEGER NOT NULL,
  id VARCHAR(40) NOT NULL,
  machine VARCHAR(200) NOT NULL,
  revision INTEGER NOT NULL,
  question VARCHAR(40) NOT NULL,
  body BLOB NOT NULL,
  CONSTRAINT pk_decision PRIMARY KEY (number),
  CONSTRAINT uq_decision_id UNIQUE (id)
)

-- table machine
CREATE TABLE IF NOT EXISTS machine (
  name VARCHAR(200) NOT NULL,
  title VARCHAR(400) NOT NULL,
  revision INTEGER NOT NULL,
  CONSTRAINT pk_machine PRIMARY KEY (name)
)

-- table shape
CREATE TABLE IF NOT EXISTS shape (
  digest VARCHAR(80) NOT NULL,
  facts BLOB NOT NULL,
  CONSTRAINT pk_shape PRIMARY KEY (digest)
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
INSERT INTO machine (name, title, revision) VALUES (:name, :title, :revision)

-- set_machine
UPDATE machine SET title=:new_title, revision=:new_revision WHERE machine.name = :which

-- delete_machine
DELETE FROM machine WHERE machine.name = :name

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
INSERT INTO decision (id, machine, revision, question, body) VALUES (:id, :machine, :revision, :question, :body)

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
