// tincanjs, which speaks 1.0.3 at the newest.
const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const TinCan = require("tincanjs");

const [endpoint, auth] = process.argv.slice(2);
const lrs = new TinCan.LRS({ endpoint, auth, allowFail: false });
const agent = new TinCan.Agent({ mbox: `mailto:${randomUUID()}@example.org` });
const activity = new TinCan.Activity({ id: `https://example.org/${randomUUID()}` });
const verb = { id: "http://adlnet.gov/expapi/verbs/experienced" };

// A method that calls back with (error, result).
const ask = (name, ...given) =>
  new Promise((resolve, reject) => {
    const options = given.pop();
    const callback = (error, result) => (error === null ? resolve(result) : reject(error));
    lrs[name](...given, { ...options, callback });
  });

async function main() {
  assert.ok((await ask("about", {})).version.includes(lrs.version));

  const made = [1, 2, 3].map((n) => new TinCan.Statement({ actor: agent, verb, target: activity, id: randomUUID(), result: { score: { raw: n } } }));
  await ask("saveStatement", made[0], {});
  await ask("saveStatements", made.slice(1), {});
  assert.equal((await ask("retrieveStatement", made[0].id, {})).result.score.raw, 1);
  const page = await ask("queryStatements", { params: { agent, limit: 2, ascending: true } });
  const rest = await ask("moreStatements", { url: page.more });
  assert.deepEqual([...page.statements, ...rest.statements].map((one) => one.id), made.map((one) => one.id));

  const voiding = new TinCan.Statement({ actor: agent, verb: { id: "http://adlnet.gov/expapi/verbs/voided" }, target: { objectType: "StatementRef", id: made[0].id } });
  await ask("saveStatement", voiding, {});
  assert.equal((await ask("retrieveVoidedStatement", made[0].id, {})).id, made[0].id);

  const attachment = new TinCan.Attachment({ display: { en: "note" }, usageType: "https://example.org/note", contentType: "text/plain", content: TinCan.Utils.stringToArrayBuffer("attached") });
  const attached = new TinCan.Statement({ actor: agent, verb, target: activity, id: randomUUID(), attachments: [attachment] });
  await ask("saveStatement", attached, {});
  const back = await ask("retrieveStatement", attached.id, { params: { attachments: true } });
  assert.equal(back.attachments[0].getContentAsString(), "attached");

  const where = { agent, activity };
  await ask("saveState", "bookmark", { page: 1 }, { ...where, contentType: "application/json" });
  const state = await ask("retrieveState", "bookmark", where);
  assert.deepEqual(state.contents, { page: 1 });
  await ask("saveState", "bookmark", { page: 2 }, { ...where, contentType: "application/json", lastSHA1: state.etag });
  assert.deepEqual(await ask("retrieveStateIds", where), ["bookmark"]);
  await ask("dropState", "bookmark", where);
  assert.equal(await ask("retrieveState", "bookmark", where), null);

  await ask("saveAgentProfile", "likes", "red", { agent, contentType: "text/plain" });
  assert.equal((await ask("retrieveAgentProfile", "likes", { agent })).contents, "red");
  await ask("dropAgentProfile", "likes", { agent });
  await ask("saveActivityProfile", "layout", { columns: 2 }, { activity, contentType: "application/json" });
  assert.deepEqual((await ask("retrieveActivityProfile", "layout", { activity })).contents, { columns: 2 });
  assert.equal((await ask("retrieveActivity", activity.id, {})).id, activity.id);
}

main();
