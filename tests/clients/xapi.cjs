// @xapi/xapi in the version that the third argument names.
const assert = require("node:assert/strict");
const { createHash, randomUUID } = require("node:crypto");
const XAPI = require("@xapi/xapi");

const [endpoint, auth, version] = process.argv.slice(2);
const agent = { objectType: "Agent", name: "Meera", mbox: `mailto:${randomUUID()}@example.org` };
const activityId = `https://example.org/${randomUUID()}`;
const object = { objectType: "Activity", id: activityId, definition: { name: { en: "Page" } } };
const statement = (more) => ({ actor: agent, verb: XAPI.Verbs.COMPLETED, object, ...more });

async function main() {
  const lrs = new XAPI({ endpoint, auth, version });
  assert.ok((await lrs.getAbout()).data.version.includes(version));

  const [id] = (await lrs.sendStatement({ statement: statement() })).data;
  assert.equal((await lrs.getStatement({ statementId: id })).data.actor.name, "Meera");
  const sent = (await lrs.sendStatements({ statements: [statement(), statement()] })).data;
  const page = (await lrs.getStatements({ agent, limit: 2, ascending: true })).data;
  assert.equal(page.statements[0].id, id);
  const rest = (await lrs.getMoreStatements({ more: page.more })).data;
  assert.deepEqual([...page.statements, ...rest.statements].map((one) => one.id), [id, ...sent]);

  await lrs.voidStatement({ actor: agent, statementId: id });
  await assert.rejects(lrs.getStatement({ statementId: id }));
  assert.equal((await lrs.getVoidedStatement({ voidedStatementId: id })).data.id, id);

  const bytes = new TextEncoder().encode("certificate");
  const attachment = {
    usageType: "https://example.org/certificate",
    display: { en: "certificate" },
    contentType: "text/plain",
    length: bytes.length,
    sha2: createHash("sha256").update(bytes).digest("hex"),
  };
  const attached = statement({ attachments: [attachment] });
  // Its other adapter gives a multipart body another Content-Type when it runs in Node.
  const fetching = new XAPI({ endpoint, auth, version, adapter: "fetch" });
  const [with_] = (await fetching.sendStatement({ statement: attached, attachments: [bytes.buffer] })).data;
  const parts = (await lrs.getStatement({ statementId: with_, attachments: true })).data;
  assert.equal(parts[0].id, with_);
  assert.equal(parts[1], "certificate");

  const state = { agent, activityId, stateId: "bookmark" };
  await lrs.createState({ ...state, state: { page: 1 } });
  await lrs.createState({ ...state, state: { line: 2 } });
  const stored = await lrs.getState(state);
  assert.deepEqual(stored.data, { page: 1, line: 2 });
  const match = { etag: stored.headers.etag, matchHeader: "If-Match" };
  await lrs.setState({ ...state, state: { page: 9 }, ...match });
  await assert.rejects(lrs.setState({ ...state, state: { page: 8 }, ...match }));
  assert.deepEqual((await lrs.getStates({ agent, activityId })).data, ["bookmark"]);
  await lrs.deleteState(state);

  const profile = { agent, profileId: "likes", profile: { colour: "red" } };
  await lrs.setAgentProfile({ ...profile, etag: "*", matchHeader: "If-None-Match" });
  assert.deepEqual((await lrs.getAgentProfile(profile)).data, { colour: "red" });
  await lrs.createActivityProfile({ activityId, profileId: "layout", profile: { columns: 2 } });
  assert.deepEqual((await lrs.getActivityProfiles({ activityId })).data, ["layout"]);
  assert.deepEqual((await lrs.getAgent({ agent })).data.name, ["Meera"]);
  assert.deepEqual((await lrs.getActivity({ activityId })).data.definition.name, { en: "Page" });
}

main();
