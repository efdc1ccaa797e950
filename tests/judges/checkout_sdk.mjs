// Checkout.com's official Node SDK as a reader of the sandbox: says what it sees as one JSON object, in the words of
// checkout_sdk.py. It knows nothing of what the sandbox holds.
//
// Loopback only, and only with a secret key: the option `host` moves payments and disputes here, but not the SDK's
// balances, files, transfers, forward, identity and OAuth clients, which keep pointing at checkout.com. They stay unused.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const asked = JSON.parse(process.argv[2]);
if (new URL(asked.url).hostname !== '127.0.0.1') throw new Error('loopback only');
const found = createRequire(`${process.env.COUNTERFOIL_JUDGES}/`).resolve('checkout-sdk-node');
const { Checkout } = await import(pathToFileURL(found));
const LIMIT = 50;

const client = (key) => {
  const { payments, disputes } = new Checkout(key, { host: asked.url, timeout: 20_000 });
  return { payments, disputes };
};
const moment = (second) => new Date(second * 1000).toISOString().replace('.000', '');
const payment = (one) => ({ id: one.id, status: one.status, amount: one.amount, currency: one.currency });
const dispute = payment;
const refusal = async (call) => {
  try {
    await call();
  } catch (error) {
    return [error.name, error.http_code ?? null, error.body?.error_codes ?? null];
  }
  return null;
};

let searches = 0;
const search = async (api, first, last, into) => {
  const page = await api.payments.search({
    query: 'amount:>=0', limit: LIMIT, from: moment(first), to: moment(last),
  });
  searches += 1;
  if (page.data.length < LIMIT) {
    // Both ends are inside: neighbours may show the same payment.
    for (const one of page.data) into.set(one.id, payment(one));
    return;
  }
  if (last - first <= 1) throw new Error('a second holds more than one answer can');
  const middle = Math.floor((first + last) / 2);
  await search(api, first, middle, into);
  await search(api, middle, last, into);
};
const allDisputes = async (api) => {
  const all = [];
  for (;;) {
    const page = await api.disputes.get({ limit: 20, skip: all.length });
    all.push(...page.data.map(dispute));
    if (page.data.length === 0 || all.length >= page.total_count) return { total: page.total_count, all };
  }
};
const each = async (ids, read) => {
  const done = [];
  for (const id of ids) done.push(await read(id));
  return done;
};

const api = client(asked.key);
const payments = new Map();
await search(api, asked.from, asked.to, payments);
const disputes = await allDisputes(api);
const step = Math.max(1, Math.floor(payments.size / 5));
const some = [...payments.keys()].filter((_, at) => at % step === 0);
const seen = {
  searches,
  payments: [...payments.values()],
  disputes,
  payment_singles: await each(some, async (id) => payment(await api.payments.get(id))),
  actions: Object.fromEntries(
    await each(some, async (id) => [id, (await api.payments.getActions(id)).map((one) => one.type)]),
  ),
  dispute_singles: await each(disputes.all.slice(0, 5), async ({ id }) => dispute(await api.disputes.getDetails(id))),
  errors: {
    unknown_key: await refusal(() => client(`sk_sbox_${'z'.repeat(27)}`).disputes.get({ limit: 1 })),
    narrow_key: await refusal(() => client(asked.narrow_key).disputes.get({ limit: 1 })),
    unknown_id: await refusal(() => api.payments.get(`pay_${'a'.repeat(26)}`)),
    limited: await refusal(() => api.payments.get(asked.limited)),
  },
};
console.log(JSON.stringify(seen));
