// xapiwrapper, which is made for browsers: in a window of the little that it asks of one.
const assert = require("node:assert/strict");
const { createHash, randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const vm = require("node:vm");
const { XMLHttpRequest } = require("xhr2");

const [endpoint, auth] = process.argv.slice(2);
Object.assign(globalThis, { window: globalThis, XMLHttpRequest, location: new URL("http://course.example.org/") });
// An element of which only the address is asked for.
const link = { set href(value) { Object.assign(this, { protocol: new URL(value).protocol, host: new URL(value).host }); } };
globalThis.document = { createElement: () => link };
vm.runInThisContext(readFileSync(require.resolve("xapiwrapper/dist/xapiwrapper.min.js"), "utf8"));
ADL.XAPIWrapper.changeConfig({ endpoint: `${endpoint}/`, auth, strictCallbacks: true });

const agent = { mbox: `mailto:${randomUUID()}@example.org` };
const activity = `https://example.org/${randomUUID()}`;
const statement = () => new ADL.XAPIStatement(agent, ADL.verbs.experienced, { id: activity });

const ask = (name, ...given) =>
  new Promise((resolve, reject) => {
    const done = (error, answer, body) => (error ? reject(new Error(`${name}: ${answer.status} ${answer.responseText}`)) : resolve({ answer, body }));
    ADL.XAPIWrapper[name](...given, done);
  });
const sha1 = (text) => createHash("sha1").update(text).digest("hex");

async function main() {
  const one = (await ask("sendStatement", statement())).body.id;
  await ask("sendStatements", [statement(), statement()]);
  const page = (await ask("getStatements", { agent: JSON.stringify(agent), limit: 2, ascending: true }, null)).body;
  assert.equal(page.statements[0].id, one);
  const rest = (await ask("getStatements", null, page.more)).body;
  assert.equal(page.statements.length + rest.statements.length, 3);
  assert.equal((await ask("getStatements", { statementId: one }, null)).body.actor.mbox, agent.mbox);
  await assert.rejects(ask("getStatements", { statementId: randomUUID() }, null));

  const state = JSON.stringify({ page: 1 });
  await ask("sendState", activity, agent, "bookmark", null, { page: 1 }, null, null);
  assert.deepEqual((await ask("getState", activity, agent, "bookmark", null, null)).body, { page: 1 });
  await ask("sendState", activity, agent, "bookmark", null, { line: 2 }, sha1(state), null);
  await assert.rejects(ask("sendState", activity, agent, "bookmark", null, { line: 3 }, sha1(state), null));
  await ask("deleteState", activity, agent, "bookmark", null, null, null);

  await ask("sendAgentProfile", agent, "likes", "red", null, "*");
  assert.equal((await ask("getAgentProfile", agent, "likes", null)).body, "red");
  await ask("sendActivityProfile", activity, "layout", { columns: 2 }, null, "*");
  assert.deepEqual((await ask("getActivityProfile", activity, "layout", null)).body, { columns: 2 });
  assert.equal((await ask("getActivities", activity)).body.id, activity);
  assert.deepEqual((await ask("getAgents", agent)).body.mbox, [agent.mbox]);
}

main();
